import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from resvision.core.progress import Bar


def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_the_line_never_fills_the_width_of_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(1000))
    monkeypatch.setattr("resvision.core.progress.time.monotonic", lambda: next(times))
    console = terminal(width)
    with Bar(console, "evaluating", total=1_000_000, after_s=0) as bar:
        bar.reach(123_456, figures=["epoch 3/20", "loss 0.1234", "train top-1 error 12.34%"])
        line = bar.line(width - 1)
    assert line.cell_len < width
    assert line.plain.startswith("evaluating")
    assert max(len(part) for part in console.file.getvalue().replace("\x1b[2K", "").split("\r")) < width  # type: ignore[attr-defined]


def test_the_line_tells_share_time_left_rate_and_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("resvision.core.progress.time.monotonic", lambda: clock[0])
    bar = Bar(terminal(80), "checking", total=400)
    clock[0] = 4.0
    bar.advance(100)
    assert bar.line(79).plain == "checking  ━━━─────────   25%  0:12 left  25 images/s  100/400"


def test_each_call_of_a_counted_function_is_a_piece_that_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("resvision.core.progress.time.monotonic", lambda: clock[0])
    bar = Bar(terminal(80), "measuring", total=4, noun="loss")
    halve = bar.counting(lambda value: value / 2)
    clock[0] = 4.0
    assert [halve(value) for value in (2, 4, 6)] == [1, 2, 3]
    assert bar.line(79).plain == "measuring  ━━━━━━━━━───   75%  0:01 left  1.3 s a loss  3/4"


def test_short_work_and_other_places_than_a_terminal_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("resvision.core.progress.time.monotonic", lambda: clock[0])
    file, short = Console(file=io.StringIO(), force_terminal=False), terminal(80)
    for console, seconds in ((file, 9.0), (short, 1.9)):
        clock[0] = 0.0
        with Bar(console, "predicting", total=2) as bar:
            clock[0] = seconds
            bar.advance()
        assert console.file.getvalue() == ""  # type: ignore[attr-defined]


def test_a_line_that_is_taken_away_leaves_nothing() -> None:
    console = terminal(60)
    with Bar(console, "predicting", total=2, after_s=0) as bar:
        bar.advance()
    assert console.file.getvalue().endswith("\r\x1b[2K")  # type: ignore[attr-defined]


def test_in_a_notebook_the_line_is_written_again_in_its_place_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    handle = SimpleNamespace(update=shown.append)

    def display(line: str, *, display_id: bool) -> Any:
        shown.append(line)
        return handle

    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(HTML=str, display=display))
    monkeypatch.setattr("resvision.core.progress.REDRAWN_EVERY_S", 0.0)
    with Bar(Console(file=io.StringIO(), force_jupyter=True), "<checking>", total=4, after_s=0) as bar:
        bar.advance()
    assert [line.partition("  ")[0] for line in shown] == ["<pre>&lt;checking&gt;"] * 2 + [""]
    assert " 25%" in shown[1]
