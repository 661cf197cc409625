"""Weights that others publish: their list, their download, safe reading, and our names for their tensors."""
