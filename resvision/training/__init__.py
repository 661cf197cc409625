"""The loop, and what it stands on: optimizers, schedules, checkpoints, history."""
