"""Nets that give every pixel a class, one paper a file; what two of them share is in `parts/`."""
