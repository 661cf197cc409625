"""Predictions for files, whoever computes them: a run with torch, or a bundle with an engine. Reaches no torch."""
