"""Parts of networks that two segmentation papers share."""
