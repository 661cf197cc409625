"""Recipes of motion prediction: a short one, and those of papers, a file each."""
