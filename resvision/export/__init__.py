"""Export: from a finished run to a bundle or a graph, verified by its scores."""
