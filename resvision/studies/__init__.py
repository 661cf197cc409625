"""Controlled experiments, one question a file."""
