"""Tables and plots of scores that are no shares: their units, their forms, and bars of groups."""

import numpy as np

from resvision.kinds.forms import ClassRow, ClassTable, Line, Plot
from resvision.kinds.terminal_tables import as_text
from resvision.report.class_tables import shown_table
from resvision.report.score_plots import plot_svg
from resvision.report.svg import COLOURS, themed

TABLE = ClassTable(
    ("windows", "error", "share"),
    [ClassRow("ours", 1234, (2.5, 0.25)), ClassRow("theirs", None, (float("nan"), 0.5))],
    written=("hundredths", "percent"),
)


def test_each_column_is_written_in_its_own_form() -> None:
    ours, theirs = shown_table(TABLE).rows

    assert [cell.text for cell in ours.shares] == ["2.50", "25.00 %"]
    assert [cell.bar for cell in ours.shares] == [None, 25.0]
    assert [cell.text for cell in theirs.shares] == ["—", "50.00 %"]
    assert theirs.amount is None


def test_the_same_forms_stand_in_a_terminal() -> None:
    table = as_text(TABLE._replace(title="Errors"))

    assert table.rows == [("ours", "1,234", "2.50", "25.00%"), ("theirs", "-", "-", "50.00%")]
    assert (table.columns, table.title) == (("class", "windows", "error", "share"), "Errors")


def test_columns_without_a_form_are_shares() -> None:
    (row,) = shown_table(ClassTable(("images", "AP"), [ClassRow("cat", 3, (0.5,))])).rows

    assert (row.shares[0].text, row.shares[0].bar) == ("50.00 %", 50.0)


def test_axes_name_their_units_and_the_words_every_point() -> None:
    line = Line("ours", np.array([1.0, 2.0]), np.array([0.5, 1.25]))

    svg = plot_svg(Plot("Error over time", ("time", "error"), (line,), units=("s", "m")), name="p")

    assert ">time, s<" in svg
    assert ">error, m<" in svg
    assert "ours: error 0.5 m at 1 s, 1.25 m at 2 s" in svg


def test_groups_are_bars_beside_each_other_under_their_names() -> None:
    lines = tuple(Line(name, np.arange(2.0), np.array([1.0, 2.0])) for name in ("ours", "theirs"))
    plot = Plot("Error by group", ("group", "error"), lines, units=("", "m"), ticks=("slow", "fast"))

    svg = plot_svg(plot, name="p")

    assert ">slow<" in svg
    assert "theirs: error 1 m for slow, 2 m for fast" in svg
    bars = [svg.count(f"fill: {themed(colour)}") for colour in COLOURS[:2]]
    assert bars == [2 + 1] * 2  # two groups, and the legend
