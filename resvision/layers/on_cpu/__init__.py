"""Layers as a CPU computes them faster, or at all: the same functions of their inputs, their sums in another order."""
