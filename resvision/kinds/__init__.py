"""The torch-free halves of the tasks: results and scores from raw arrays, and their tables and pictures."""
