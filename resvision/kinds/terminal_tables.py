"""Tables of the page as tables for a terminal."""

from resvision.kinds.forms import ClassTable, Table, Written
from resvision.kinds.kind import percent

MISSING = "-"


def as_text(table: ClassTable) -> Table:
    """The table with its numbers as text."""
    forms = table.written or tuple[Written, ...](["percent"] * (len(table.headings) - 1))
    rows = [
        (
            row.name,
            MISSING if row.amount is None else f"{row.amount:,}",
            *(_text(value, form) for value, form in zip(row.shares, forms, strict=True)),
        )
        for row in table.rows
    ]
    return Table((table.noun, *table.headings), rows, table.headings, table.title)


def _text(value: float, form: Written) -> str:
    """A number in its form, a dash for NaN."""
    if value != value or form == "percent":
        return percent(value)
    return {"figure": f"{value:.4g}", "hundredths": f"{value:.2f}", "whole": f"{value:,.0f}"}[form]
