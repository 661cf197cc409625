"""What two segmentation papers share."""
