"""PyTorch: casts of tensors here, emulated models and what training needs in folders."""
