"""Bundles behind HTTP: routes, batches, limits, metrics, and a page to try them. Reaches no torch."""
