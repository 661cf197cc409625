"""Instruments that measure a net: its counts, receptive fields, memory and graph."""
