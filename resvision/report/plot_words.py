"""The plots of a page in words and figures, for those who hear it."""

from collections.abc import Sequence

import numpy as np

from resvision.core.plurals import plural
from resvision.kinds.kind import Curve, Matrix
from resvision.report.record import Floats, RunRecord


def curve_words(records: Sequence[RunRecord], labels: Sequence[str], curve: Curve) -> str:
    """`error. plain: training from 80.2 % to 3.1 %, test from 70 % to 9.2 %, lowest 8.7 % at epoch 7.`"""
    return (
        f"{curve.name}. {' '.join(_run(record, label, curve) for record, label in zip(records, labels, strict=True))}"
    )


def throughput_words(record: RunRecord) -> str:
    """`images per second of plain: in the middle 1,234, between 1,100 and 1,400 in nine of ten steps.`"""
    rates = record.steps.images / record.steps.seconds
    low, middle, high = np.percentile(rates, (5, 50, 95))
    samples = plural(record.kind.sample_noun)
    return (
        f"{samples} per second of {record.name}: {middle:,.3g} in the middle, between {low:,.3g} and {high:,.3g} in"
        " nine of ten steps."
    )


def confusion_words(matrix: Matrix, *, most: int = 3) -> str:
    """`confusion of 10 classes: 350 of 360 right. Most often 3 was taken for 5 (4 of 36), ...`"""
    counts, classes = matrix.counts, matrix.classes
    right, total = int(np.trace(counts)), int(counts.sum())
    wrong = counts * (1 - np.eye(len(classes), dtype=counts.dtype))
    ranked = np.argsort(-wrong, axis=None, kind="stable")[:most]
    cells = [divmod(int(cell), len(classes)) for cell in ranked if wrong.flat[cell]]
    pairs = [
        f"{classes[true]} was taken for {classes[guess]} ({counts[true, guess]:,} of {counts[true].sum():,})"
        for true, guess in cells
    ]
    mistakes = f" Most often {', '.join(pairs)}." if pairs else ""
    return f"confusion of {len(classes)} classes: {right:,} of {total:,} right.{mistakes}"


def _run(record: RunRecord, label: str, curve: Curve) -> str:
    parts = []
    if curve.trained is not None:
        values = record.metric(curve.trained)
        window = record.steps_per_epoch if curve.averaged else 1
        ends = values[:window].mean(), values[-window:].mean()
        parts.append(
            f"{'training ' if curve.averaged else ''}from {_figure(ends[0], curve)} to {_figure(ends[1], curve)}"
        )
    if curve.evaluated is not None and len(record.evaluations.step):
        values = curve.evaluated(record.evaluations.figures)
        way = f"{_figure(values[0], curve)} to {_figure(values[-1], curve)}"
        parts.append(f"{record.split} from {way}{_best(record, values, curve)}")
    return f"{label}: {', '.join(parts) or 'not drawn'}."


def _best(record: RunRecord, values: Floats, curve: Curve) -> str:
    if not np.isfinite(values).any():
        return ""
    at = int(np.nanargmax(values) if curve.axis == "rising" else np.nanargmin(values))
    word = "highest" if curve.axis == "rising" else "lowest"
    return f", {word} {_figure(values[at], curve)} at epoch {record.evaluations.step[at] / record.steps_per_epoch:.3g}"


def _figure(value: float, curve: Curve) -> str:
    return f"{100 * value:.4g} %" if curve.unit == "%" else f"{value:.4g} {curve.unit}".strip()
