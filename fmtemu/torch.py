"""Emulated formats for PyTorch: what training in them needs."""

from fmtemu.backends.torch.communication import GradientReduction, communication_hook
from fmtemu.backends.torch.loss_scaler import LossScaler
from fmtemu.backends.torch.optimizer import QuantizedOptimizer

__all__ = ["GradientReduction", "LossScaler", "QuantizedOptimizer", "communication_hook"]
