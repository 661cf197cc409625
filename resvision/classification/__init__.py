"""Nets that classify images, one paper a file.

`stages.py` cuts a net into C1..C5; `classifier.py` is the system that all nets share.
"""
