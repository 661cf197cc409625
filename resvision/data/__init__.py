"""Data without torch: the table of sets, their readers, splits and checks."""
