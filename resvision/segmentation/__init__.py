"""Nets that give every pixel a class, one paper a file; `parts/` holds the parts that two papers share."""
