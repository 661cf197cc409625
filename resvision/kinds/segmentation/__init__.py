"""Segmentation without torch: label maps, IoU over a data set, test protocols, tables, pictures."""
