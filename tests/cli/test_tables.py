"""Every table of the program fits the terminal, with whole rows, and is whole in a pipe."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.text import Text

from resvision.cli import tables
from resvision.core.terminal import Terminal, tell, wrapped
from resvision.launch import Finished

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes standard output a terminal of so many columns, without colours."""

    def of_width(columns: int) -> None:
        monkeypatch.setattr(Terminal, "is_terminal", True)
        monkeypatch.setenv("COLUMNS", str(columns))

    return of_width


def plain(out: str) -> list[str]:
    return [Text.from_ansi(line).plain.rstrip() for line in out.splitlines()]


def rows_of_words(out: str) -> list[list[str]]:
    return [line.split() for line in plain(out) if line]


def wide_table(*, least: tuple[str, ...] = ()) -> tables.VisibleTable:
    table = tables.new_table("name", "count", "what", "paper", numbers=("count",), title="Title", least=least)
    table.add_row("first", "1,234,567", "a sentence about the first of two rows", "Somebody et al. 2015, arXiv")
    table.add_row("second", "-", "层" * 20, "")
    return table


def test_a_long_table_looks_as_a_short_one(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def printed() -> list[str]:
        table = tables.new_table("name", "number", numbers=("number",), title="Title")
        for i in range(12):
            table.add_row("層" * (i % 3) + f"name{i}", f"{10**i:,}")
        tables.print_tables(table)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    by_rich = printed()
    monkeypatch.setattr(tables, "LONG", 10)
    assert printed() == by_rich
    assert by_rich[-2].split() == ["層層name11", "100,000,000,000"]


def test_a_narrow_terminal_does_without_the_least_important_columns_and_says_so(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(70)
    tables.print_tables(wide_table(least=("paper", "what")))
    out = capsys.readouterr().out
    assert rows_of_words(out)[1] == ["name", "count", "what"]
    assert "left out for lack of width: paper; --wide shows all columns" in out


def test_columns_that_only_some_tables_lack_are_told_from_those_that_all_lack(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(40)
    short, long = (tables.new_table("a", "b", "c", least=("c", "b")) for _ in range(2))
    short.add_row("1", "2", "3" * 40)
    long.add_row("1", "2" * 40, "3" * 40)
    tables.print_tables(short, long)
    out = " ".join(capsys.readouterr().out.split())
    assert "left out for lack of width: c; of some tables b; --wide shows all columns" in out


def test_a_title_is_broken_by_the_terminal_and_not_by_its_table(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(60)
    table = tables.new_table("a", title="A title of more words than the only column is wide")
    table.add_row("1")
    tables.print_tables(table)
    assert plain(capsys.readouterr().out)[0] == "A title of more words than the only column is wide"


def test_rows_become_blocks_of_all_their_cells_where_no_columns_fit(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(40)
    tables.print_tables(wide_table())
    assert plain(capsys.readouterr().out) == [
        "Title",
        "",
        "first",
        "  count: 1,234,567",
        "  what: a sentence about the first of",
        "    two rows",
        "  paper: Somebody et al. 2015, arXiv",
        "",
        "second",
        "  what:",
        "    " + "层" * 20,
        "",
    ]


@pytest.mark.parametrize("wide", [False, True])
def test_all_columns_are_shown_in_a_pipe_and_when_asked_for(
    wide: bool, terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    if wide:
        terminal(40)
    tables.print_tables(wide_table(least=("paper", "what")), wide=wide)
    title, header, _, first, _ = rows_of_words(capsys.readouterr().out)
    assert (title, header) == (["Title"], ["name", "count", "what", "paper"])
    assert first[:2] == ["first", "1,234,567"]


def test_a_line_is_broken_between_its_parts_alone() -> None:
    assert wrapped(["epoch 1/2", "train loss 0.5", "9 images/s"], 26) == ["epoch 1/2  train loss 0.5", "  9 images/s"]
    assert wrapped(["/a/long/path"], 4) == ["/a/long/path"]


def test_a_terminal_gets_whole_words_and_a_pipe_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    for is_terminal, lines in ((True, ["data  one two", "      three"]), (False, ["data  one two three"])):
        console = Terminal(width=14)
        console._force_terminal = is_terminal
        tell(console, "data  one two three", indent=6)
        assert plain(capsys.readouterr().out) == lines


def test_nets_side_by_side_stand_below_one_another_where_it_is_narrow(
    terminal: Callable[[int], None], cli: Cli
) -> None:
    terminal(60)
    words = rows_of_words(cli("inspect", "resnet20", "plain20")[1])
    start = words.index(["stage", "model", "output", "params", "MACs"])
    assert [words[start + 2][1], words[start + 3][0]] == ["resnet20", "plain20"]


def test_the_list_of_data_sets_says_where_they_lie_on_a_narrow_terminal_too(
    terminal: Callable[[int], None], cli: Cli
) -> None:
    terminal(60)
    assert rows_of_words(cli("data", "list")[1])[0][-1] == "where"


COMMANDS = [
    ("list",),
    ("list", "--table"),
    ("data", "list"),
    ("evaluate", "--protocols"),
    ("inspect", "resnet20"),
    ("inspect", "resnet20", "preresnet110", "googlenet"),
    ("inspect", "resnet50", "--paper"),
]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_every_table_fits_the_terminal(columns: int, terminal: Callable[[int], None], cli: Cli) -> None:
    terminal(columns)
    for words in COMMANDS:
        code, out, err = cli(*words)
        assert code == 0, err
        require_fit(out, columns)


@pytest.mark.parametrize("columns", [60, 80])
def test_tables_of_a_run_fit_the_terminal(
    columns: int, finished: Finished, segmented: Finished, terminal: Callable[[int], None], cli: Cli
) -> None:
    terminal(columns)
    for run in (finished.folder, segmented.folder):
        require_fit(cli("evaluate", run)[1], columns, except_for=run)
    require_fit(cli("evaluate", finished.folder, finished.folder, "--table")[1], columns, except_for=finished.folder)


def test_the_confusion_of_many_classes_becomes_blocks(
    terminal: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal(60)
    numbers = tuple(map(str, range(11)))
    table = tables.new_table("", "true class", *numbers, numbers=numbers)
    table.add_row("3", "pavement", *(f"{number}.5" for number in range(11)))
    tables.print_tables(table)
    assert rows_of_words(capsys.readouterr().out)[:2] == [
        ["3", "pavement"],
        [word for number in range(9) for word in (f"{number}:", f"{number}.5")][:14],
    ]


def require_fit(out: str, columns: int, *, except_for: Path = Path("no such path")) -> None:
    """Fail where a line is longer than the terminal, unless it is a path, which is never broken."""
    lines = plain(out)
    assert lines
    assert not [line for line in lines if cell_len(line) > columns and str(except_for) not in line]
    assert not [line for line in lines if "\N{HORIZONTAL ELLIPSIS}" in line], "a cell that is cut"


def test_a_narrow_column_comes_back_where_a_wide_one_has_gone() -> None:
    table = tables.new_table("name", "narrow", "wide", title="about " * 20, least=("narrow", "wide"))
    table.add_row("a", "b", "c" * 100)
    assert [str(column.header) for column in tables._narrowed(table, 60).columns] == ["name", "narrow"]
