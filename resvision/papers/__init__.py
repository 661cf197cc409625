"""What the papers print, as data: their tables of architectures, their results; and our counts, ready to be listed."""
