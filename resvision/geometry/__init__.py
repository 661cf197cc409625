"""Geometry in images: crops, boxes, tiles. No torch."""
