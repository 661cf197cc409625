"""The lowest floor: errors, results, images, settings, run directories. Nothing here knows torch."""
