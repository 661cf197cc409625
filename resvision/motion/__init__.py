"""Motion prediction: nets from rasters and past states to trajectories."""
