"""Parts that two papers of motion prediction share, one noun a file."""
