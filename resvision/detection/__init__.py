"""Detection: one system a file, named by its paper; what two papers share is in `parts/`."""
