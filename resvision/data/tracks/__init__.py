"""Recorded tracks as data sets: CommonRoad, Argoverse 2, tables of tracks, simulated traffic."""
