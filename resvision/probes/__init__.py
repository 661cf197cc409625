"""Instruments held against a net: counts and receptive fields."""
