"""The sentences at the head of a page: for each data set the best run, its scores, and what it took."""

from collections.abc import Sequence

from resvision.core.plurals import counted, plural
from resvision.report.record import RunRecord
from resvision.report.tables import data_of, duration, epochs_in_words, main_figure, of_best


def summary(records: Sequence[RunRecord]) -> list[str]:
    """A sentence or two for each data set and task."""
    groups: dict[tuple[str, str, int], list[RunRecord]] = {}
    for record in records:
        groups.setdefault((record.task_name, *data_of(record)), []).append(record)
    return [_sentences(data, group) for (_, data, _), group in groups.items()]


def _sentences(data: str, group: Sequence[RunRecord]) -> str:
    scored = sorted((record for record in group if record.scores is not None), key=_rank)
    left = [record.name for record in group if not record.finished]
    open_ends = f" Not finished: {', '.join(left)}." if left else ""
    if not scored:
        return f"On {data} no run has been scored yet.{open_ends}"
    best = scored[0]
    among = f"Of {counted(len(group), 'run')} on {data}, {best.name} is the best: it" if len(group) > 1 else best.name
    result = best.kind.sentence(best.scores, "" if len(group) > 1 else f" of {data}")
    text = f"{among} {result} {_training(best)}{_chosen(best)}."
    if len(scored) > 1:
        more = f" and {len(scored) - 4} more" if len(scored) > 4 else ""
        runners_up = ", ".join(f"{record.name} {main_figure(record.kind, _main(record))}" for record in scored[1:4])
        text += f" Next: {runners_up}{more}."
    return text + open_ends


def _training(record: RunRecord) -> str:
    """The length of the training; a run of no steps has none."""
    if not record.total_steps:
        return "with the weights that it starts with"
    return f"after {epochs_in_words(record)}, {duration(record.seconds)} of training"


def _main(record: RunRecord) -> float:
    """The figure of the test that runs of its task are compared by."""
    return float(record.scores.figures()[record.kind.main])


def _rank(record: RunRecord) -> float:
    """The lower, the better."""
    return -_main(record) if record.kind.higher_is_better else _main(record)


def _chosen(record: RunRecord) -> str:
    """A clause on the weights that validation chose; "" where it chose none."""
    if not record.best_step:
        return ""
    ended = "; the run then stopped early" if record.stopped_early else ""
    return (
        f", with the weights of {of_best(record)}, the best on the validation {plural(record.kind.sample_noun)}{ended}"
    )
