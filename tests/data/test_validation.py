import re
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import resvision
from resvision.assembly import Exam
from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.history import read
from resvision.data.arrays import ArrayReader
from resvision.data.digits import VIEW
from resvision.data.sets import open_splits
from resvision.data.splits import Splits
from resvision.data.validation import held_out_indices, hold_out
from resvision.launch import Finished, resume, train
from resvision.report.page import report_html
from resvision.report.read import read_record
from resvision.training.best import BestSoFar
from resvision.training.checkpoints import Checkpoints, result_weights

QUIET = Console(quiet=True)
STOPPING = {
    "model.options.depth": 4,
    "model.options.width": 32,
    "data.image_size": 8,
    "schedule.kind": "constant",
    "training.ema_decay": 0.5,
    "machine.precision": "fp32",
    "machine.threads": 1,
}


def digits_of(targets: list[int]) -> Splits:
    def reader(split: str) -> ArrayReader:
        images = np.zeros((len(targets), 8, 8), dtype=np.uint8)
        return ArrayReader(
            name="few",
            split=split,
            classes=tuple("0123456789"),
            view=VIEW,
            images=images,
            targets=np.array(targets),
        )

    return Splits(reader("train"), reader("test"), "few")


def evaluations(folder: Path) -> list[dict]:
    return [line for line in read(folder / rundir.HISTORY) if "evaluation" in line]


# The split


@given(st.lists(st.integers(0, 5), min_size=2, max_size=80), st.floats(0.001, 0.499))
def test_every_class_gives_its_share_and_keeps_the_rest(targets: list[int], share: float) -> None:
    held_out = held_out_indices(targets, share)
    assert len(set(held_out.tolist())) == len(held_out)
    for each in set(targets):
        images = targets.count(each)
        given_away = int(np.sum(np.array(targets)[held_out] == each))
        assert given_away == (max(1, round(share * images)) if images > 1 else 0)
        assert given_away < images


def test_a_tenth_of_cifar10_is_the_papers_split_of_45000_and_5000_with_500_of_each_class() -> None:
    targets = np.repeat(np.arange(10), 5000)
    held_out = held_out_indices(targets.tolist(), 0.1)
    assert (len(targets) - len(held_out), len(held_out)) == (45_000, 5_000)
    assert np.bincount(targets[held_out]).tolist() == [500] * 10


def test_the_split_of_a_class_does_not_depend_on_the_others() -> None:
    alone = held_out_indices([0] * 40, 0.2)
    beside = held_out_indices([0] * 40 + [1] * 7, 0.2)
    assert beside[beside < 40].tolist() == alone.tolist()
    assert alone.tolist() != list(range(8))


def test_training_and_validation_are_apart_and_together_the_whole() -> None:
    whole = open_splits("digits")
    splits = hold_out(whole, 0.1)
    assert splits.validation is not None
    sources = [{reader.source(i) for i in range(len(reader))} for reader in (splits.train, splits.validation)]
    assert not sources[0] & sources[1]
    assert sources[0] | sources[1] == {whole.train.source(i) for i in range(len(whole.train))}
    for part in (splits.train, splits.validation):
        index = int(part.source(5).rpartition("[")[2][:-1])
        np.testing.assert_array_equal(part[5].image, whole.train[index].image)
        assert part.target(5) == part[5].target == whole.train.target(index)
    assert f"{len(splits.train):,} train / {len(splits.validation)} validation" in splits.split_rule
    assert "10 %" in splits.split_rule
    assert len({whole.fingerprint(), splits.fingerprint(), hold_out(whole, 0.2).fingerprint()}) == 3
    assert splits.fingerprint() == hold_out(whole, 0.1).fingerprint()


def test_a_set_without_pairs_or_with_validation_of_its_own_is_not_split() -> None:
    with pytest.raises(SettingsError, match="no class with two"):
        hold_out(digits_of([0, 1, 2]), 0.1)
    with pytest.raises(SettingsError, match="leave --validation out"):
        hold_out(hold_out(digits_of([0, 0, 1, 1]), 0.1), 0.1)


# The best


def lines(*figures: tuple[float, float], split: str = "validation") -> list[dict]:
    return [
        {"step": 10 * (i + 1), "split": split, "evaluation": {"error": error, "loss": loss}}
        for i, (error, loss) in enumerate(figures)
    ]


def test_the_best_has_the_lowest_error_then_the_lower_loss_then_the_earlier_step() -> None:
    def best(*figures: tuple[float, float]) -> int:
        return BestSoFar(("error", "loss"), patience=None, lines=lines(*figures)).step

    assert best((0.5, 1.0), (0.2, 2.0), (0.3, 0.1)) == 20
    assert best((0.2, 1.0), (0.2, 0.9), (0.2, 0.95)) == 20
    assert best((0.2, 1.0), (0.2, 1.0)) == 10
    assert best() == 0


def test_patience_counts_validations_since_the_best() -> None:
    best = BestSoFar(("error", "loss"), patience=2, lines=lines((0.5, 1.0), (0.6, 1.0)))
    assert not best.waited_enough
    best.see({"step": 25, "loss": 0.1})
    best.see(lines((0.9, 1.0), split="test")[0])
    assert not best.waited_enough
    best.see(lines((0.5, 1.0))[0] | {"step": 30})
    assert (best.waited_enough, best.step, best.seen) == (True, 10, 30)
    assert not BestSoFar(("error", "loss"), patience=None, lines=lines(*[(0.5, 1.0)] * 50)).waited_enough


# The run


def train_until_it_stops(out: Path) -> Finished:
    """Some fifteen epochs of thirty, with a learning rate that makes the error jump."""
    return train(
        "resmlp", "digits", epochs=30, lr=0.2, validation=0.1, patience=2, settings=STOPPING, out=out, quiet=True
    )


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return train_until_it_stops(tmp_path_factory.mktemp("runs") / "stopped")


def contents(folder: Path) -> dict[str, bytes]:
    """What a run leaves that does not tell the time."""
    place = folder / rundir.CHECKPOINTS
    names = [(place / pointer).read_text().strip() for pointer in (rundir.BEST, rundir.LAST)]
    files = [path for name in names for path in sorted((place / name).iterdir())]
    files += [place / rundir.BEST, place / rundir.LAST, folder / rundir.EVALUATION]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_run_ends_when_validation_no_longer_betters_and_its_best_weights_are_the_result(stopped: Finished) -> None:
    made = evaluations(stopped.folder)
    assert {line["split"] for line in made} == {"validation"}
    best = min(made, key=lambda line: (line["evaluation"]["top1_error"], line["evaluation"]["loss"], line["step"]))
    assert made.index(best) == len(made) - 3
    assert len(made) < 30
    checkpoints = Checkpoints(stopped.folder)
    assert checkpoints.best() == checkpoints.place(best["step"])
    assert checkpoints.last() == checkpoints.place(made[-1]["step"])
    assert result_weights(stopped.folder) == checkpoints.place(best["step"]) / rundir.AVERAGED_WEIGHTS
    net = resvision.load(stopped.folder).system.net
    chosen = load_file(result_weights(stopped.folder))
    assert all(torch.equal(tensor, chosen[name]) for name, tensor in net.state_dict().items())
    again = resvision.evaluate(stopped.folder)
    assert (again.images, again.top1_error) == (397, stopped.scores.top1_error)


def test_a_run_that_stopped_early_does_not_train_on(stopped: Finished, tmp_path: Path) -> None:
    folder = shutil.copytree(stopped.folder, tmp_path / "copy")
    said = StringIO()
    again = resume(folder, console=Console(file=said, width=300))
    assert re.search(
        r"stopped early after step \d+: no better validation in 2 evaluations; best is step \d+", said.getvalue()
    )
    assert again.scores.to_json() == stopped.scores.to_json()
    assert (folder / rundir.HISTORY).read_bytes() == (stopped.folder / rundir.HISTORY).read_bytes()
    assert contents(folder) == contents(stopped.folder)


class Killed(BaseException):
    """As a kill, nobody expects it."""


@pytest.mark.parametrize("moment", ["before last", "before best", "before pruning"])
def test_a_run_killed_around_a_new_best_ends_as_if_it_had_not_been(
    moment: str, stopped: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, best = tmp_path / "run", Checkpoints(stopped.folder).best()
    assert best is not None
    write, drop = rundir.write_text, Checkpoints._drop_older_than

    def killed_writing(path: Path, text: str) -> None:
        if moment == f"before {path.name}" and text.strip() == best.name:
            raise Killed
        write(path, text)

    def killed_pruning(self: Checkpoints, step: int, **kept: int) -> None:
        if moment == "before pruning" and best.name == f"step-{step}":
            raise Killed
        drop(self, step, **kept)

    with monkeypatch.context() as patch:
        patch.setattr(rundir, "write_text", killed_writing)
        patch.setattr(Checkpoints, "_drop_older_than", killed_pruning)
        with pytest.raises(Killed):
            train_until_it_stops(out)
    assert not (out / rundir.EVALUATION).exists()
    resume(out, console=QUIET)
    assert contents(out) == contents(stopped.folder)
    assert [line["evaluation"] for line in evaluations(out)] == [
        line["evaluation"] for line in evaluations(stopped.folder)
    ]


def test_the_test_images_are_looked_at_once_at_the_end(
    stopped: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    score = Exam.score
    monkeypatch.setattr(Exam, "score", lambda self, *a, **b: looked_at.append(self.split) or score(self, *a, **b))
    settings = {**STOPPING, "data.validation": 0.2}
    scores = train("resmlp", "digits", epochs=2, settings=settings, out=tmp_path / "run", quiet=True).scores
    assert looked_at == ["validation", "validation", "test"]
    assert scores.images == 397


def test_without_validation_the_last_weights_are_the_result(finished: Finished) -> None:
    assert {line["split"] for line in evaluations(finished.folder)} == {"test"}
    assert Checkpoints(finished.folder).best() is None
    assert result_weights(finished.folder).parent == Checkpoints(finished.folder).last()


def test_a_best_checkpoint_that_is_gone_is_named(stopped: Finished, tmp_path: Path) -> None:
    folder = shutil.copytree(stopped.folder, tmp_path / "copy")
    best = Checkpoints(folder).best()
    assert best is not None
    shutil.rmtree(best)
    with pytest.raises(RunError, match=f"best: names '{best.name}', which is not a checkpoint"):
        resvision.load(folder)


def test_tensorboard_names_the_split(stopped: Finished) -> None:
    events = EventAccumulator(str(stopped.folder / rundir.EVENTS))
    events.Reload()
    assert len(events.Scalars("validation/top1_error")) == len(evaluations(stopped.folder))
    assert not [tag for tag in events.Tags()["scalars"] if tag.startswith("test/")]


def test_the_report_tells_validation_from_test(stopped: Finished, finished: Finished) -> None:
    record = read_record(stopped.folder)
    assert record.finished
    assert record.stopped_early
    assert record.tested is not None
    assert (record.tested.split, record.tested.figures["top1_error"]) == ("test", stopped.scores.top1_error)
    best = Checkpoints(stopped.folder).best()
    assert best is not None
    assert f"step-{record.best_step}" == best.name
    html = report_html([record])
    for text in (
        "stopped early",
        "best validation top-1 error",
        "Training and validation error",
        "141 validation, 397 test",
    ):
        assert text in html, text
    assert "unfinished" not in html
    assert "best validation top-1 error" not in report_html([read_record(finished.folder)])
    both = report_html([record, read_record(finished.folder)])
    assert "Training, validation and test error" in both


def test_patience_needs_validation(cli: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    words = ["train", "plainmlp", "--data", "digits", "--out", tmp_path / "run"]
    code, _, said = cli(*words, "--patience", "3")
    assert (code, "training.patience: needs validation images" in said, said.count("\n")) == (2, True, 1)
    code, _, said = cli(*words, "--validation", "0.5")
    assert (code, "data.validation: expected" in said, said.count("\n")) == (2, True, 1)
    assert not (tmp_path / "run").exists()


def with_validation(root: Path | None) -> Splits:
    """A data set of a user's own that brings validation images."""
    whole = open_splits("digits")
    return Splits(whole.train, whole.test, "digits, tested twice", validation=whole.test)


def test_a_set_may_bring_validation_images(tmp_path: Path) -> None:
    own = f"{__name__}:with_validation"
    settings = {**STOPPING, "training.patience": 1}
    run = train("resmlp", own, epochs=2, settings=settings, out=tmp_path / "run", quiet=True)
    assert (run.run.data.validation_images, run.run.data.train_images) == (397, 1400)
    best = min(evaluations(run.folder), key=lambda line: line["evaluation"]["top1_error"])
    assert best["split"] == "validation"
    assert best["evaluation"]["top1_error"] == run.scores.top1_error
