"""Export: from a finished run to a bundle, a graph or a file of weights, verified by its scores."""
