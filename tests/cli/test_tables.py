import pytest

from resvision.cli import tables


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
