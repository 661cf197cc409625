"""Members beside each other: the same bits as one after another, and nothing half after a stop, a kill or a failure."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from resvision.core import rundir
from resvision.core.errors import Stopped
from resvision.studies.degradation import degradation
from resvision.studies.design import Measure
from resvision.studies.experiment import Asked, conduct, plan
from resvision.studies.member_process import stop_with_input, trial_from_json, trial_to_json
from resvision.studies.results import Findings, Results
from resvision.studies.subject import Subject
from resvision.studies.table import STUDIES, design_of

QUIET = Console(quiet=True)
TINY = ["model.options.width=2", "data.image_size=8", "machine.precision=fp32"]
SHORT = [*TINY, "training.duration=2 steps", "machine.threads=1"]
PATIENCE_S = 600.0
BASE = replace(degradation((20,)), claims=(), plots=())


def process(subject: Subject) -> Findings:
    return Findings({"number": float(os.getpid())})


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results, str]:
    """A study of two members in processes of their own, one of which diverges, and what it said."""
    folder = tmp_path_factory.mktemp("study")
    plain = BASE.conditions[0]
    design = replace(
        BASE,
        conditions=[plain, replace(plain, name="wild", settings={"optimizer.lr": 1e25})],
        measures=[Measure(name="process", function=f"{__name__}:process")],
    )
    with StringIO() as said:
        results = conduct(design, folder, Asked("digits", 1, settings=SHORT, jobs=2), Console(file=said, width=200))
        return folder, results, said.getvalue()


def history_of(folder: Path) -> list[dict[str, float]]:
    lines = map(json.loads, (folder / rundir.HISTORY).read_text().splitlines())
    return [{key: value for key, value in line.items() if key in {"step", "loss", "error"}} for line in lines]


def test_members_beside_each_other_have_the_bits_of_one_after_another(
    beside: tuple[Path, Results, str], tmp_path: Path
) -> None:
    folder, results, _ = beside
    alone = conduct(replace(BASE, conditions=BASE.conditions[:1]), tmp_path, Asked("digits", 1, settings=SHORT), QUIET)
    assert history_of(folder / "plain20-seed0") == history_of(tmp_path / "plain20-seed0")
    for name, value in alone.members[0].figures.items():
        if name != "seconds":
            assert results.members[0].figures[name] == value


def test_a_member_that_diverges_does_not_stop_the_others(beside: tuple[Path, Results, str]) -> None:
    _, results, said = beside
    trained, wild = results.members
    assert "not finite" in wild.diverged
    assert trained.figures["process.number"] not in {None, float(os.getpid())}
    assert "2 of 2 members to train, 2 at a time" in said
    assert "plain20-seed0: finished after" in said
    assert "wild-seed0 diverged: " in said


def _has_begun(place: Path) -> bool:
    """Whether a step was made, so that there is something to keep."""
    history = place / rundir.HISTORY
    return history.is_file() and history.stat().st_size > 0


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is heard, also where the suite runs in the background of a shell, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_stops_the_members_with_a_checkpoint(tmp_path: Path) -> None:
    place = tmp_path / "plain20-seed0"

    def interrupt() -> None:
        until = time.monotonic() + PATIENCE_S
        while not _has_begun(place) and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    one = replace(BASE, conditions=BASE.conditions[:1])
    long = [*TINY, "training.duration=1000 epochs", "training.evaluate_every=1000"]
    with pytest.raises(Stopped, match="the same command") as stopped:
        conduct(one, tmp_path, Asked("digits", 1, settings=long, jobs=2), QUIET)
    assert stopped.value.exit_code == 128 + signal.SIGINT
    assert not rundir.is_locked(place)
    assert (place / rundir.CHECKPOINTS / rundir.LAST).exists()
    assert not (place / rundir.EVALUATION).exists()


def test_a_process_whose_study_is_gone_stops_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: heard.set())
    reading, writing = os.pipe()
    try:
        with os.fdopen(reading) as stream:
            monkeypatch.setattr(sys, "stdin", stream)
            stop_with_input()
            time.sleep(0.05)
            assert not heard.is_set()
            os.close(writing)
            until = time.monotonic() + PATIENCE_S
            while not heard.is_set() and time.monotonic() < until:
                time.sleep(0.01)
        assert heard.is_set()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_process_is_told_the_whole_trial() -> None:
    for name in ("degradation", "transfer"):
        design = design_of(STUDIES[name])
        for trial in plan(design, Asked(design.data, 1, quick=True)):
            assert trial_from_json(json.loads(json.dumps(trial_to_json(trial)))) == trial
