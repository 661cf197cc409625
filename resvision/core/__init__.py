"""What every floor stands on: errors, results, images, settings, run directories. Nothing here knows torch."""
