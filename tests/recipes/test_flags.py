import inspect
from collections.abc import Callable
from typing import get_type_hints

import pytest

import resvision
from resvision.core.errors import UnknownNameError
from resvision.core.settings import leaves
from resvision.recipes import compose
from resvision.recipes.flags import FLAGS, Flags, changes_of

Cli = Callable[..., tuple[int, str, str]]
VALUES = {
    "epochs": (3, "3 epochs"),
    "batch_size": (16, 16),
    "lr": (0.25, 0.25),
    "from_scratch": (True, None),
    "seed": (0, 0),
    "columns": ("path=file,label=breed", ("path=file", "label=breed")),
    "allow": ("outside-boxes,unlabelled-images", ("outside-boxes", "unlabelled-images")),
    "proposals": ("/sets/regions.safetensors", "/sets/regions.safetensors"),
    "validation": (0.125, 0.125),
    "train_images": (500, 500),
    "patience": (2, 2),
    "device": ("cpu", "cpu"),
    "threads": (3, 3),
    "precision": ("fp32", "fp32"),
}
"""A value of each flag, and what the Run then says."""


@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_changes_its_leaf_of_the_run_and_no_other(name: str) -> None:
    given, expected = VALUES[name]
    usual = dict(leaves(compose("resnet20", "digits")))
    changed = dict(leaves(compose("resnet20", "digits", changes=changes_of({name: given}))))
    path = FLAGS[name].flag.path
    assert changed[path] == expected
    assert changed == usual | {path: expected}


def test_a_flag_that_is_none_is_left_to_the_recipe() -> None:
    assert changes_of(dict.fromkeys(FLAGS)) == {}


def test_an_unknown_flag_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown flag 'epoch'; nearest: epochs"):
        resvision.train("resnet20", "digits", epoch=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", FLAGS)
def test_the_command_line_and_the_docstring_of_train_show_every_flag(name: str, cli: Cli) -> None:
    code, out, _ = cli("train", "--help")
    words = " ".join(out.split())
    assert code == 0
    assert f"--{name.replace('_', '-')} " in words
    assert FLAGS[name].flag.help in words
    assert name in str(inspect.getdoc(resvision.train))


def test_python_takes_exactly_the_declared_flags() -> None:
    assert {*get_type_hints(Flags)} == {*FLAGS} == {*VALUES}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--epochs", "0"], "--epochs"),
        (["--epochs", "many"], "--epochs"),
        (["--batch-size", "0"], "--batch-size"),
        (["--seed", "-1"], "--seed"),
        (["--train-images", "0"], "--train-images"),
        (["--patience", "0"], "--patience"),
        (["--lr", "fast"], "--lr"),
        (["--lr", "-1"], "optimizer.lr"),
        (["--validation", "0.7"], "data.validation"),
        (["--device", "tpu"], "machine.device"),
        (["--precision", "fp8"], "machine.precision"),
    ],
)
def test_a_wrong_value_of_a_flag_is_refused_with_its_name(words: list[str], said: str, cli: Cli) -> None:
    code, _, err = cli("train", "resnet20", "--data", "digits", *words)
    assert code == 2
    assert said in err
