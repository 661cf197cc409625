"""Weights that others publish: which there are, fetching them, reading them safely, and our names for their tensors."""
