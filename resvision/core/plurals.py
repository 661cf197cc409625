"""Counts with their nouns: `1 image`, `1,200 images`."""


def counted(number: int, noun: str) -> str:
    """The number, with commas, and its noun in the form that goes with it."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """The plural of a regular English noun."""
    return f"{noun}es" if noun.endswith(("s", "x")) else f"{noun}s"


def article(noun: str) -> str:
    """`a`, or `an` before a vowel."""
    return "an" if noun[:1] in "aeio" else "a"


def length_in_words(duration: str) -> str:
    """The length of a training, `20 epochs` or `1 epochs` in a Run, as a person writes it."""
    number, _, unit = duration.partition(" ")
    return counted(int(number), unit.removesuffix("s"))
