"""Classification without torch: class scores of an image, errors over a data set, test protocols, tables, pictures."""
