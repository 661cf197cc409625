"""Layers and initialisations that more than one paper uses."""
