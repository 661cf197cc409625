"""The size of a member's net, as `probes.count` counts it: a measure of many studies."""

from resvision.probes.count import count
from resvision.studies.results import Findings
from resvision.studies.subject import Subject


def counts(subject: Subject) -> Findings:
    """Figures `params`, `macs` of one image of the run's size, and `depth`, the layers with weights."""
    run = subject.trained.run
    assert run.data.view is not None, "a run that was trained has read its data"
    counted = count(subject.net, subject.trained.task.example_shape(run.data.view, run.data.image_size))
    return Findings({"params": counted.params, "macs": counted.macs, "depth": counted.depth})
