"""Data: the table of sets, their readers, checks, augmentation, and batches as a function of the step."""
