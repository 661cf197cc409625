from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from resvision.core.meanings import as_text, choices, describe, form, meanings

Share = Annotated[float, Meta(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class Inner:
    """The inner settings.

    rate  how fast, in a meaning that goes on
          in the next line
    kind  none: nothing at all
          some: a few
    """

    rate: float = 0.5
    kind: Literal["none", "some"] = "none"


@dataclass(frozen=True, kw_only=True)
class Inherited(Inner):
    """The outer settings.

    first, second  two of a kind

    This is no meaning.
    """

    first: int
    second: tuple[Share, ...] = (0.5, 1)
    below: Inner = Inner()


def test_meanings_are_read_off_docstrings_and_inherited() -> None:
    assert meanings(Inherited) == {
        "rate": "how fast, in a meaning that goes on in the next line",
        "kind": "none: nothing at all; some: a few",
        "first": "two of a kind",
        "second": "two of a kind",
    }


def test_every_leaf_of_a_tree_is_described() -> None:
    leaves = {leaf.path: leaf for leaf in describe(Inherited, at="at")}
    assert list(leaves) == ["at.rate", "at.kind", "at.first", "at.second", "at.below.rate", "at.below.kind"]
    assert leaves["at.first"][2:] == ("a whole number", (), "")
    assert leaves["at.second"].default == "0.5,1"
    assert leaves["at.below.kind"].choices == ("none", "some")


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Share, "a number from 0 to 1"),
        (Annotated[int, Meta(ge=1)] | None, "a whole number from 1 on or none"),
        (Annotated[float, Meta(gt=0, lt=1)], "a number above 0 and below 1"),
        (Annotated[str, Meta(description="`20 epochs`")], "`20 epochs`"),
        (tuple[float, float], "2 numbers with a comma between, such as 0.5,1"),
        (tuple[Share, ...], "numbers from 0 to 1 with commas between, such as 0.5,1"),
        (tuple[str, ...], "texts with commas between, such as a,b"),
    ],
)
def test_the_form_of_values_is_said_in_words(hint: object, words: str) -> None:
    assert form(hint) == words


def test_choices_are_listed_where_they_are_few() -> None:
    assert choices(bool | None) == ("true", "false", "none")
    assert choices(Literal["a", 3]) == ("a", "3")
    assert choices(int) == choices(int | str) == choices(None) == ()


def test_defaults_are_written_as_they_are_set() -> None:
    assert [*map(as_text, (None, True, (0.9, 0.999), 1e-4, "x"))] == ["none", "true", "0.9,0.999", "0.0001", "x"]
