"""Recipes of detection: a short one for any detector and any data, and a module for each paper.

A recipe's docstring names the settings that its paper does not give, and what could not be run here.
"""
