"""Pictures with a row for each condition say every mean, also where a training diverged."""

from resvision.studies import condition_drawings  # not `tested` by itself, which pytest would take for a test
from resvision.studies.results import Member, Results

FIGURES = {
    "plain": [(0.2, 0.3, 0.1, 0.35), (0.4, 0.5, 0.2, 0.45)],
    "residual": [(0.1, 0.2, 0.0, 0.25), None],
    "lost": [None, None],
}


def results() -> Results:
    names = ("trained", "tested", "fit.train_error", "fit.test_error")
    members = [
        Member(
            condition=condition,
            seed=seed,
            folder=f"{condition}-seed{seed}",
            figures={} if values is None else dict(zip(names, values, strict=True)),
            diverged="" if values else "loss is not finite",
        )
        for condition, row in FIGURES.items()
        for seed, values in enumerate(row)
    ]
    return Results(
        format=1,
        study="own",
        data="digits",
        task="classification",
        quick=False,
        date="",
        machine="",
        settings={},
        members=tuple(members),
    )


def test_every_condition_is_named_with_its_means() -> None:
    svg = condition_drawings.tested(results(), name="dots")
    assert "plain: training error 30 %, test error 40 %" in svg
    assert "residual: training error 10 %, test error 20 %" in svg
    assert "lost: none" in svg
    for text in (*FIGURES, "By condition"):
        assert f">{text}<" in svg


def test_fits_show_both_errors_of_the_final_weights() -> None:
    svg = condition_drawings.fits(results(), name="fits")
    assert "plain: its own images 15 %, test images 40 %" in svg
    assert ">Error of the final weights<" in svg
    assert svg != condition_drawings.fits(results(), name="others")
