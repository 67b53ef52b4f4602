"""Casts of PyTorch tensors."""
