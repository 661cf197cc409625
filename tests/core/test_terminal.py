import csv
import json
import sys
from io import StringIO

import pytest
from rich.progress import Progress
from rich.text import Text

from resvision.cli.tables import new_table, print_tables
from resvision.core.terminal import Terminal, visible, visible_streams

EVIL = "\x1b]0;title\x07 \x9b2J \x7f \u202egnp.exe \r\b"
SHOWN = r"\u001b]0;title\u0007 \u009b2J \u007f \u202egnp.exe \u000d\u0008"


def as_screen(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """Standard output, which consoles take for a terminal with colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", stream := StringIO())
    return stream


def test_controls_are_shown_and_letters_of_all_scripts_stay() -> None:
    assert visible(EVIL) == SHOWN
    for text in ("a\tb\nc\r\n", "Äpfel und Birnen", "猫, कुत्ता, 👩\u200d🌾", "שלום"):
        assert visible(text) == text


def test_json_is_the_same_json_when_it_is_visible() -> None:
    assert json.loads(visible(json.dumps({"name": EVIL}, ensure_ascii=False))) == {"name": EVIL}


def test_all_that_python_prints_is_visible(capsys: pytest.CaptureFixture[str]) -> None:
    with visible_streams():
        print(EVIL)
        csv.writer(sys.stdout).writerow([EVIL, 1])
        print(EVIL, file=sys.stderr)
    out, err = capsys.readouterr()
    assert (out, err) == (f'{SHOWN}\n"{SHOWN}",1\r\n', f"{SHOWN}\n")


def test_a_console_obeys_its_own_styles_and_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = as_screen(monkeypatch)
    Terminal().print(Text("red", style="red"), EVIL, "[bold]:cat:")
    assert screen.getvalue().startswith("\x1b[31mred\x1b[0m \\u001b]0;title")
    assert screen.getvalue().endswith("[bold]:cat:\n")
    assert visible(screen.getvalue().replace("\x1b[31m", "").replace("\x1b[0m", "")).count("\\u001b") == 1


def test_a_bar_moves_the_cursor_while_streams_are_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = as_screen(monkeypatch)
    with visible_streams(), Progress(console=Terminal()) as bar:
        bar.add_task(EVIL, total=2)
        print(EVIL)
    assert "\x1b[?25l" in screen.getvalue()
    assert "\\u001b[" not in screen.getvalue()
    assert "\x1b]0;" not in screen.getvalue()
    assert "\x9b" not in screen.getvalue()


@pytest.mark.parametrize("rows", [1, 300])
def test_cells_are_as_wide_as_what_is_shown(rows: int, capsys: pytest.CaptureFixture[str]) -> None:
    table = new_table("name", EVIL, title=EVIL)
    for _ in range(rows):
        table.add_row(EVIL, "end")
    print_tables(table)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == SHOWN
    assert lines[-2].split() == [*SHOWN.split(), "end"]
