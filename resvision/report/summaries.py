"""The sentences at the head of a page: for each data set the best run, its scores, and what it took."""

from collections.abc import Sequence

import numpy as np

from resvision.report.record import KINDS, RunRecord
from resvision.report.tables import data_of, duration, epochs_done, of_best, percent


def summary(records: Sequence[RunRecord]) -> list[str]:
    """A sentence or two for each data set and task."""
    groups: dict[tuple[str, str, int], list[RunRecord]] = {}
    for record in records:
        groups.setdefault((record.task, *data_of(record)), []).append(record)
    return [_sentences(data, group) for (_, data, _), group in groups.items()]


def _sentences(data: str, group: Sequence[RunRecord]) -> str:
    scored = sorted((record for record in group if record.scores is not None), key=_rank)
    left = [record.name for record in group if not record.finished]
    open_ends = f" Not finished: {', '.join(left)}." if left else ""
    if not scored:
        return f"On {data} no run has been scored yet.{open_ends}"
    best = scored[0]
    among = f"Of {len(group)} runs on {data}, {best.name} is the best: it" if len(group) > 1 else best.name
    text = (
        f"{among} {_did(best, '' if len(group) > 1 else f' of {data}')} after {epochs_done(best)} epochs,"
        f" {duration(best.seconds)} of training{_chosen(best)}."
    )
    if len(scored) > 1:
        more = f" and {len(scored) - 4} more" if len(scored) > 4 else ""
        text += f" Next: {', '.join(f'{r.name} {percent(_main(r))}' for r in scored[1:4])}{more}."
    return text + open_ends


def _main(record: RunRecord) -> float:
    """The figure of the test that runs of its task are compared by."""
    assert record.scores is not None, "asked of runs with scores"
    return record.scores.figures()[KINDS[record.task].main]


def _rank(record: RunRecord) -> float:
    """The lower, the better."""
    return -_main(record) if KINDS[record.task].judged_by[0].startswith("-") else _main(record)


def _did(record: RunRecord, of_data: str) -> str:
    """What the result does with the test images, in figures."""
    if record.segmented is not None:
        scores = record.segmented
        return (
            f"labels {percent(scores.pixel_accuracy)} of the pixels of {scores.images:,} test images{of_data} right"
            f" (mean IoU {percent(scores.mean_iou)})"
        )
    assert record.classified is not None, "one of the two tasks"
    wrong = record.classified.images - int(np.trace(record.classified.confusion))
    return (
        f"gets {wrong:,} of {record.classified.images:,} test images{of_data} wrong"
        f" (top-1 error {percent(record.classified.top1_error)})"
    )


def _chosen(record: RunRecord) -> str:
    """How the weights were chosen, where validation did."""
    if not record.best_step:
        return ""
    ended = "; the run then stopped early" if record.stopped_early else ""
    return f", with the weights of {of_best(record)}, the best on the validation images{ended}"
