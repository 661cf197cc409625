"""Names of classes, as terminals, tables and pages can show them."""

LONGEST = 255
"""Letters of a name, as many as the name of a folder has."""


def is_class_name(text: str) -> bool:
    """Whether a text can name a class: not empty, on one line, without control characters, and not too long."""
    return bool(text) and text.isprintable() and len(text) <= LONGEST
