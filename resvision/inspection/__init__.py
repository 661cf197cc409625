"""Inspection of finished runs: every probe shows its findings in a run as a table, as rows for CSV, and as pictures."""
