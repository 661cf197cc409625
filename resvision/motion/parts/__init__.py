"""What two papers of motion prediction share, one noun a file."""
