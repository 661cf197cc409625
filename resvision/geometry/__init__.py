"""Where things lie in an image, in numbers: crops, boxes, tiles. No torch."""
