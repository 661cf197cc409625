"""The torch-free halves of the tasks: from raw arrays to results, to scores, and to all that a person sees of them."""
