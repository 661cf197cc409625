"""The zoo, one paper a file; `stages.py` cuts a net into C1..C5, `classifier.py` is the system all share."""
