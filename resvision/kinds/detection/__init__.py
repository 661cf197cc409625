"""The torch-free half of detection: boxes and their names in an image, judged by average precision."""
