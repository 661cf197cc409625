"""The list of everything that `--set` takes.

kept      the list as it was made and kept, read without torch
live      the list as it follows from the declarations of settings, of augmentations, of losses and of nets
markdown  the page docs/settings.md
"""
