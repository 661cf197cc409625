"""Fits: functions that make weights of what a trained net gives, each the work of a phase without steps."""
