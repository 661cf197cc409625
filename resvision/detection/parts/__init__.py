"""What two papers of detection share, one noun a file."""
