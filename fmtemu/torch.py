"""Emulated formats for PyTorch: casts as a module, and what training in them needs."""

from fmtemu.backends.torch.communication import GradientReduction, communication_hook
from fmtemu.backends.torch.loss_scaler import LossScaler
from fmtemu.backends.torch.optimizer import QuantizedOptimizer
from fmtemu.backends.torch.quantize import Quantize, calibrate

__all__ = ["GradientReduction", "LossScaler", "Quantize", "QuantizedOptimizer", "calibrate", "communication_hook"]
