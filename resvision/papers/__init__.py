"""The papers as data: their tables of architectures and their results, and our counts, ready to be listed."""
