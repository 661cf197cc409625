"""Questions of a shell for completions, and how they are answered: the words that bash cuts are joined again."""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO

ASKED = "_RESVISION_COMPLETE"
"""The variable by which a shell asks for completions."""


@contextmanager
def answers(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Answer a question of a shell in the block; anything else passes.

    To bash `optimizer.name=a` is three words, of which it replaces the last alone: they are joined for the question,
    and what stands before the equals sign is left out of the answers.
    """
    if not join_words(environment):
        yield
        return
    answered = StringIO()
    try:
        with redirect_stdout(answered):
            yield
    finally:
        for word in answered.getvalue().splitlines():
            print(word.rpartition("=")[2])


def join_words(environment: MutableMapping[str, str]) -> bool:
    """Join the words of a question from bash that it has cut at equals signs; whether the last was cut."""
    if environment.get(ASKED) != "complete_bash" or not environment.get("COMP_CWORD", "").isdecimal():
        return False
    words, position = environment.get("COMP_WORDS", "").split(), int(environment["COMP_CWORD"])
    *before, last = words[: position + 1] if position < len(words) else [*words, ""]
    joined: list[str] = []
    for previous, word in zip(["", *before], [*before, last], strict=True):
        if joined and word and "=" in (previous, word):
            joined[-1] += word
        else:
            joined.append(word)
    environment["COMP_WORDS"], environment["COMP_CWORD"] = " ".join(joined), str(len(joined) - 1)
    return bool(last) and "=" in (last, *before[-1:])
