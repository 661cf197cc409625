"""Results of a finished run: loading it, evaluating it, predicting on files."""
