"""Results of others on a data set."""

from resvision.data import sets
from resvision.papers.related import NGSIM_RMSE, NGSIM_SECONDS, related


def test_published_errors_on_ngsim_are_marked_as_not_comparable() -> None:
    (table,) = related(sets.row("ngsim").name)

    assert "not comparable" in table.title
    assert [row.name for row in table.rows] == ["constant velocity", "M-LSTM", "GC-LSTM"]
    assert table.headings[1:] == ("1 s", "2 s", "3 s", "4 s", "5 s")
    for errors in NGSIM_RMSE.values():
        assert len(errors) == len(NGSIM_SECONDS)
        assert list(errors) == sorted(errors)
    assert {name: errors[2] for name, errors in NGSIM_RMSE.items()} == {
        "constant velocity": 3.13,
        "M-LSTM": 2.13,
        "GC-LSTM": 1.41,
    }


def test_most_sets_have_none() -> None:
    assert related("cifar10") == []
