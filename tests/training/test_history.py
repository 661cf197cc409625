from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.core.history import read
from resvision.training.history import History


def write(folder: Path, first: int, last: int, *, at: int) -> None:
    history = History(folder, step=at)
    for step in range(first, last + 1):
        history.add({"step": step, "epoch": 0, "loss": 1.0 / step})
        if step % 5 == 0:
            history.add({"step": step, "epoch": 0, "split": "test", "evaluation": {"top1_error": 0.5}})
    history.close()


def drawn_steps(folder: Path, tag: str) -> list[int]:
    events = EventAccumulator(str(folder / rundir.EVENTS))
    events.Reload()
    return [event.step for event in events.Scalars(tag)]


def test_a_resumed_history_has_no_gap_and_no_double_step(tmp_path: Path) -> None:
    write(tmp_path, 1, 17, at=0)
    write(tmp_path, 11, 20, at=10)
    lines = list(read(tmp_path / rundir.HISTORY))
    assert [line["step"] for line in lines if "evaluation" not in line] == list(range(1, 21))
    assert [line["step"] for line in lines if "evaluation" in line] == [5, 10, 15, 20]
    assert drawn_steps(tmp_path, "train/loss") == list(range(1, 21))
    assert drawn_steps(tmp_path, "test/top1_error") == [5, 10, 15, 20]


def test_a_last_line_cut_short_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, 1, 3, at=0)
    path = tmp_path / rundir.HISTORY
    path.write_text(path.read_text() + '{"step": 4, "lo')
    assert [line["step"] for line in read(path)] == [1, 2, 3]


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    write(tmp_path, 1, 3, at=0)
    path = tmp_path / rundir.HISTORY
    lines = path.read_text().split("\n")
    lines[1] = "{"
    path.write_text("\n".join(lines))
    with pytest.raises(RunError, match=r"history\.jsonl:2"):
        list(read(path))


@pytest.mark.parametrize("loss", ["[1.5, 1e999]", '{"a": NaN}', "1e999"])
def test_a_figure_that_is_none_is_refused(loss: str, tmp_path: Path) -> None:
    (tmp_path / rundir.HISTORY).write_text(f'{{"step": 1, "loss": {loss}}}\n')
    with pytest.raises(RunError, match=r"history\.jsonl:1: not a line of history: a "):
        list(read(tmp_path / rundir.HISTORY))


def test_tensorboard_has_the_figures_of_the_history(tmp_path: Path) -> None:
    write(tmp_path, 1, 6, at=0)
    events = EventAccumulator(str(tmp_path / rundir.EVENTS))
    events.Reload()
    assert events.Tags()["scalars"] == ["train/loss", "test/top1_error"]
    assert [event.value for event in events.Scalars("train/loss")] == pytest.approx([1 / step for step in range(1, 7)])


def test_events_that_a_kill_left_behind_are_replaced(tmp_path: Path) -> None:
    write(tmp_path, 1, 4, at=0)
    for name in ("events.out.tfevents.1.other.1", ".events.out.tfevents.1.other.1.new"):
        (tmp_path / rundir.EVENTS / name).write_bytes(b"cut short")
    write(tmp_path, 5, 6, at=4)
    assert len(list((tmp_path / rundir.EVENTS).iterdir())) == 1
    assert drawn_steps(tmp_path, "train/loss") == [1, 2, 3, 4, 5, 6]


def test_a_full_disk_is_one_error_and_closing_none(tmp_path: Path) -> None:
    history = History(tmp_path, step=0)
    history.add({"step": 1, "epoch": 0, "loss": 1.0})
    with history._lines._file as real:
        history._lines._file = open("/dev/full", "ab", buffering=0)  # noqa: PTH123, SIM115
        with pytest.raises(RunError, match=r"history\.jsonl: cannot be written: No space left on device; make room"):
            history.add({"step": 2, "epoch": 0, "loss": 1.0})
        history.close()
    assert real.closed
    assert [line["step"] for line in read(tmp_path / rundir.HISTORY)] == [1]


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_history_that_is_another_file_is_replaced_and_that_file_stays(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    precious = tmp_path / "precious"
    precious.write_text('{"step": 1, "epoch": 0, "loss": 1.0}\n')
    (tmp_path / "run").mkdir()
    link(tmp_path / "run" / rundir.HISTORY, precious)
    write(tmp_path / "run", 2, 3, at=1)
    assert precious.read_text().count("\n") == 1
    assert [line["step"] for line in read(tmp_path / "run" / rundir.HISTORY)] == [1, 2, 3]


def test_events_that_lead_elsewhere_are_refused_and_links_among_them_removed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis").touch()
    run = tmp_path / "run"
    (run / rundir.EVENTS).mkdir(parents=True)
    (run / rundir.EVENTS / "old").symlink_to(tmp_path / "other" / "thesis")
    write(run, 1, 2, at=0)
    assert len(list((run / rundir.EVENTS).iterdir())) == 1
    (run / rundir.EVENTS).rename(tmp_path / "moved")
    (run / rundir.EVENTS).symlink_to(tmp_path / "other")
    with pytest.raises(RunError, match="events: a link, which is not followed; put a folder in its place"):
        write(run, 3, 4, at=2)
    assert (tmp_path / "other" / "thesis").exists()


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / rundir.HISTORY
    with path.open("wb") as file:
        file.write(b'{"step": 1}\n')
        file.truncate(2**31)  # zeros that take no room on the disk
    with pytest.raises(RunError, match="a line of more than 1 MB, which is the limit here"):
        list(read(path))
