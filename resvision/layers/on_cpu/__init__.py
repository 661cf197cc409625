"""Layers computed as a CPU computes them faster, or at all: the same functions, their sums in another order."""
