"""Batches as functions of the step: order, augmentation, workers."""
