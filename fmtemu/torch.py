"""Emulated formats for PyTorch: casts as a module, and what training in them needs."""

from fmtemu.backends.torch.quantize import Quantize, calibrate
from fmtemu.backends.torch.training.communication import GradientReduction, communication_hook
from fmtemu.backends.torch.training.loss_scaler import LossScaler
from fmtemu.backends.torch.training.optimizer import QuantizedOptimizer

__all__ = ["GradientReduction", "LossScaler", "Quantize", "QuantizedOptimizer", "calibrate", "communication_hook"]
