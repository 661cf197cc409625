"""Motion prediction without torch: scenes and windows, rasters, baselines, scores and results."""
