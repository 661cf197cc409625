"""Parts that two papers of detection share, one noun a file."""
