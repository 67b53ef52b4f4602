"""Casts of PyTorch tensors, and training in formats."""
