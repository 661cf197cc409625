import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from resvision.core import references, rundir
from resvision.core.errors import ResVisionError, RunError, SettingsError
from resvision.core.settings import Scalar, checked, differences, from_json, from_options, leaves, to_json, with_leaf
from resvision.core.views import CentreCrop, Stretch, Whole
from resvision.loading.augment import ImageAugment, MaskAugment
from resvision.recipes import compose
from resvision.run import read_run, run_from_json


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
    options=st.dictionaries(
        st.text(min_size=1),
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False),
        max_size=3,
    ),
)
letters = st.text(st.characters() | st.sampled_from("\udcff\0\n{}[],.-1eEnaif"), max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | letters
plain = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(letters, inner, max_size=3))
RUN = compose("resnet20", "digits", settings=["model.options.width=4", "loss.label_smoothing=0.1"])
PATHS = [path for path, _ in leaves(RUN)]


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


@given(plain)
def test_any_plain_data_is_a_tree_or_refused(data: object) -> None:
    try:
        tree = from_json(Outer, data)
    except SettingsError:
        return
    assert from_json(Outer, json.loads(json.dumps(to_json(tree)))) == tree


@given(st.sampled_from(PATHS), plain)
def test_any_value_in_any_place_of_a_run_is_read_or_refused(path: str, value: object) -> None:
    data = to_json(RUN)
    *groups, key = path.split(".")
    place = data
    for group in groups:
        place = place[group]
    place[key] = value
    try:
        run = run_from_json(data)
    except RunError as error:
        assert references.is_reference(str(value)), error  # code of a user's own, which nothing here allowed
        return
    except ResVisionError as error:
        assert (groups[0] if groups else key) in str(error)  # the path, or the group whose settings contradict
        return
    assert run_from_json(json.loads(json.dumps(to_json(run)))) == run


@given(st.sampled_from([*PATHS, "", "model", "model.options.x", "nothing", "optimizer.lr.x"]), letters)
def test_any_text_for_any_leaf_gives_a_run_that_can_be_written_or_is_refused(path: str, text: str) -> None:
    try:
        run = compose("resnet20", "digits", settings=[f"{path}={text}"])
    except ResVisionError as error:
        assert len(str(error)) < 1000
        return
    assert run_from_json(json.loads(json.dumps(to_json(run), allow_nan=False).encode()), allow_code=True) == run


@pytest.mark.parametrize("text", ["abc", "-1", "1e400", "nan", "", "[]", "{}", "9" * 5000, "[" * 100_000, "\udcff"])
def test_a_text_that_is_no_such_number_is_refused_for_every_number(text: str) -> None:
    numbers = [path for path, value in leaves(RUN) if isinstance(value, int | float) and "options" not in path]
    for path in set(numbers) - {"loss.label_smoothing"}:
        with pytest.raises(SettingsError, match=path.replace(".", r"\.")) as error:
            compose("resnet20", "digits", settings=[f"{path}={text}"])
        assert len(str(error.value)) < 300
    assert len(numbers) > 20


def test_texts_of_any_length_are_cut_in_what_is_said() -> None:
    for text in ("9" * 5000, "[" * 100_000):
        for path in ("inner.lr", "inner.kind", text):
            with pytest.raises(SettingsError) as error:
                with_leaf(Outer(), path, text, text=True)
            assert len(str(error.value)) < 200
        assert with_leaf(Outer(), "options.a", text, text=True).options == {"a": text}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("options", {"a": math.nan}, r"options\.a: must be finite"),
        ("epochs", 2**63, "epochs: a whole number of 64 bits"),
        ("name", "\udcff", "name: holds bytes that are no text"),
        ("options", {"a": "\udcff"}, r"options\.a: holds bytes that are no text"),
    ],
)
def test_what_no_file_can_hold_is_refused(path: str, value: object, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        from_json(Outer, {**to_json(Outer()), path: value})


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


@dataclass(frozen=True, kw_only=True)
class Criterion:
    kind: Literal["map", "mse"] = "map"
    smoothing: float = 0.0
    weights: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"smoothing must be at least 0 and below 1, got {self.smoothing}")


@dataclass(frozen=True, kw_only=True)
class Required:
    margin: float


def test_options_that_are_not_given_have_their_defaults() -> None:
    assert from_options(Criterion, {}, at="loss") == Criterion()
    assert from_options(Criterion, {"smoothing": 0, "weights": "1,2"}, at="loss") == Criterion(weights="1,2")


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (
            Criterion,
            {"smooth": 0.1},
            r"unknown key 'loss\.smooth'; nearest: smoothing; keys of loss: kind, smoothing, w",
        ),
        (Criterion, {"kind": "max"}, r"loss\.kind: unknown value 'max'; nearest: map"),
        (Criterion, {"smoothing": "much"}, r"loss\.smoothing: expected a number, got 'much'"),
        (Criterion, {"smoothing": math.nan}, r"loss\.smoothing: must be finite"),
        (Criterion, {"smoothing": 1.0}, r"loss: smoothing must be at least 0 and below 1, got 1\.0"),
        (Criterion, {"weights": 3}, r"loss\.weights: expected text or none, got 3"),
        (Required, {}, r"loss\.margin: missing"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_by_its_path(kind: type, given: dict[str, Scalar], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        from_options(kind, given, at="loss")


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


FIRST = Path(__file__).parents[1] / "older" / "first_run.json"
"""A run as the first version wrote it."""


def test_a_run_of_the_first_version_is_read(tmp_path: Path) -> None:
    (tmp_path / rundir.RUN).write_text(FIRST.read_text())
    run = read_run(tmp_path)
    assert run.model.task == "classification"
    assert run.data.view == Stretch(channels=1, resize_px=28, crop_px=28, mean=(0.286,), std=(0.353,))
    assert run.augment == ImageAugment(shift_px=2)
    written = dict(leaves(json.loads(json.dumps(to_json(run)))))
    for path, value in leaves(json.loads(FIRST.read_text())):
        if not path.startswith("data.preprocess."):
            assert written[path] == value, path
    assert run_from_json(to_json(run)) == run


def older(task: str, resize: str, **augment: object) -> dict[str, Any]:
    """A run in the form of the version before, whose augmentation had one type and whose data had `preprocess`."""
    data = json.loads(FIRST.read_text())
    data["model"] = {**data["model"], "task": task, "encoder_from": None, "frozen_norms": False}
    data["data"]["preprocess"]["resize"] = resize
    data["augment"] |= {"scale_range": [0.5, 2.0], "elastic_px": 0.0, "brightness": 0.0, "shift_px": 0, **augment}
    data["optimizer"]["depth_decay"] = 1.0
    return data


def test_a_run_for_label_maps_of_the_version_before_keeps_its_crops_and_augmentation() -> None:
    run = run_from_json(
        older("segmentation", "none", crop="random-scale", scale_range=[0.5, 1.5], elastic_px=4.0, flip=True)
    )
    assert run.augment == MaskAugment(
        crop="random-scale", crop_px=28, scale_range=(0.5, 1.5), elastic_px=4.0, flip=True
    )
    assert run.data.view == Whole(channels=1, mean=(0.286,), std=(0.353,))
    assert run.data.image_size == 28
    assert run_from_json(to_json(run)) == run


def test_a_run_of_photos_of_the_version_before_keeps_its_view_and_augmentation() -> None:
    data = older("classification", "shorter-side", crop="random-resized", brightness=0.2, mixup_alpha=0.3)
    run = run_from_json(data)
    assert run.augment == ImageAugment(crop="random-resized", brightness=0.2, mixup_alpha=0.3)
    assert run.data.view == CentreCrop(channels=1, resize_px=28, crop_px=28, mean=(0.286,), std=(0.353,))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data": {"preprocess": {"resize": "squash"}}}, r"data\.view\.kind: unknown value 'squash'"),
        ({"data": {"preprocess": {"std": [0.0]}}}, r"data\.view: std must be above 0"),
        ({"augment": {"elastic": 3.0}}, r"unknown key 'augment\.elastic'"),
        ({"model": {"task": "segmentaton"}}, r"model\.task: unknown task 'segmentaton'; nearest: segmentation"),
    ],
)
def test_a_run_of_the_version_before_is_read_as_strictly(changes: dict[str, Any], told: str) -> None:
    data = older("classification", "stretch")
    for group, values in changes.items():
        for key, value in values.items():
            data[group][key] = {**data[group][key], **value} if isinstance(value, dict) else value
    with pytest.raises(SettingsError, match=told):
        run_from_json(data)


@pytest.mark.parametrize(
    "data", [older("harmful:TASK", "stretch"), {**to_json(RUN), "model": {"task": "harmful:TASK"}}]
)
def test_no_form_of_a_run_imports_a_task_before_that_is_allowed(
    data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "harmful.py").write_text("raise SystemExit('imported')")
    with pytest.raises(RunError, match=r"would import harmful:TASK; if you trust it, say --allow-code"):
        run_from_json(data)
    assert "harmful" not in sys.modules


@pytest.mark.parametrize("setting", ["model.task=segmentaton", "model.task=", "model.task=Segmentation"])
def test_a_task_that_is_not_there_is_refused_by_its_key(setting: str) -> None:
    with pytest.raises(SettingsError, match=r"model\.task: unknown task .*segmentation"):
        compose("resnet20", "digits", settings=[setting])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data.image_size=48", 48),
        ("data.channels=3", 3),
        ("training.checkpoint_seconds=2.5", 2.5),
        ("model.options.width=8", 8),
        ("augment.shift_px=3", 3),
        ("loss.label_smoothing=0.2", 0.2),
    ],
)
def test_what_could_be_set_before_can_be_set(setting: str, value: object) -> None:
    path = setting.partition("=")[0]
    assert dict(leaves(compose("resnet20", "digits", settings=[setting])))[path] == value


def test_the_view_is_decided_by_the_data_and_what_is_set_beside_it() -> None:
    with pytest.raises(
        SettingsError, match=r"data\.view\.resize_px: cannot be set.*data\.image_size, data\.channels.*data\.resize_px"
    ):
        compose("resnet20", "digits", settings=["data.view.resize_px=30"])
