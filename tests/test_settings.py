import json
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from resvision.core.errors import SettingsError
from resvision.core.settings import Scalar, checked, differences, from_json, to_json, with_leaf


@dataclass(frozen=True, kw_only=True)
class Inner:
    lr: Annotated[float, Meta(gt=0)] = 0.1
    kind: Literal["step", "cosine"] = "step"
    milestones: tuple[float, ...] = (0.5, 0.75)


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    flip: bool = False
    epochs: int | None = None
    name: str = "net"
    options: dict[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.epochs == 13:
            raise ValueError("13 epochs bring bad luck")


trees = st.builds(
    Outer,
    inner=st.builds(
        Inner,
        lr=st.floats(min_value=1e-9, max_value=1e9),
        kind=st.sampled_from(["step", "cosine"]),
        milestones=st.lists(st.floats(0, 1), max_size=4).map(tuple),
    ),
    flip=st.booleans(),
    epochs=st.none() | st.integers(14, 10**6),
    name=st.text(),
    options=st.dictionaries(st.text(min_size=1), st.none() | st.booleans() | st.integers() | st.text(), max_size=3),
)


@given(trees)
def test_a_tree_survives_json(tree: Outer) -> None:
    assert from_json(Outer, json.loads(json.dumps(to_json(tree)))) == tree


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_value_for_a_leaf_is_read_or_refused_by_name(value: object) -> None:
    data = to_json(Outer())
    data["inner"]["lr"] = value
    try:
        lr = from_json(Outer, data).inner.lr
    except SettingsError as error:
        assert "inner.lr" in str(error)
    else:
        assert lr == value > 0


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    data = to_json(Outer())
    data["inner"]["milestone"] = [0.5]
    with pytest.raises(SettingsError, match=r"inner\.milestone.*nearest: milestones"):
        from_json(Outer, data)


def test_a_missing_key_is_refused_by_its_path() -> None:
    data = to_json(Outer())
    del data["inner"]["kind"]
    with pytest.raises(SettingsError, match=r"inner\.kind: missing"):
        from_json(Outer, data)


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("flip", "true", True),
        ("epochs", "7", 7),
        ("epochs", "none", None),
        ("inner.lr", "3e-4", 3e-4),
        ("inner.kind", "cosine", "cosine"),
        ("inner.milestones", "0.25, 0.5", (0.25, 0.5)),
        ("inner.milestones", "", ()),
        ("options.depth", "20", 20),
        ("options.shortcut", "A", "A"),
    ],
)
def test_a_leaf_is_read_from_text_by_its_type(path: str, text: str, value: object) -> None:
    tree: object = with_leaf(Outer(), path, text, text=True)
    for key in path.split("."):
        tree = tree[key] if isinstance(tree, dict) else getattr(tree, key)
    assert tree == value
    assert type(tree) is type(value)


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("flip", "perhaps", "flip"),
        ("epochs", "2.5", "epochs"),
        ("epochs", "13", "bad luck"),
        ("inner.lr", "0", r"inner\.lr"),
        ("inner.lr", "nan", r"inner\.lr"),
        ("inner.lr", "inf", r"inner\.lr: must be finite"),
        ("inner.milestones", "0.5,nan", r"inner\.milestones: must be finite"),
        ("inner.lr", "fast", r"inner\.lr"),
        ("inner.kind", "cosinus", r"inner\.kind.*nearest: cosine"),
        ("inner.milestones", "a,b", r"inner\.milestones"),
        ("inner.lrr", "1", r"inner\.lrr.*nearest: lr"),
        ("inner", "1", "group of settings"),
        ("name.x", "1", "single value"),
        ("nme", "1", "nearest: name"),
    ],
)
def test_a_wrong_leaf_is_refused_with_its_path(path: str, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        with_leaf(Outer(), path, text, text=True)


def test_a_value_that_is_no_text_keeps_its_type() -> None:
    tree = with_leaf(with_leaf(Outer(epochs=3), "options.zero_init", False), "epochs", None)
    assert tree.options == {"zero_init": False}
    assert tree.epochs is None
    assert with_leaf(tree, "inner.milestones", (0.1, 0.2)).inner.milestones == (0.1, 0.2)
    with pytest.raises(SettingsError, match=r"inner\.lr"):
        with_leaf(tree, "inner.lr", "0.1")


def test_checking_finds_a_value_that_the_constructor_let_through() -> None:
    with pytest.raises(SettingsError, match=r"inner\.lr"):
        checked(Outer(inner=Inner(lr=-1.0)))


def test_differences_name_the_leaves_that_differ() -> None:
    first, second = Outer(), Outer(inner=Inner(lr=0.2), options={"depth": 20})
    assert differences(first, first) == []
    assert differences(first, second) == [
        ("inner.lr", 0.1, 0.2),
        ("options.depth", None, 20),
    ]
