"""From a finished run to results: loading, evaluating, predicting on files."""
