"""A compiled training step of a detector: batches with other numbers of boxes make no further graphs."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from detection.box_scenes import CLASSES, box_reader
from detection.region_scenes import MadeUpRegions

from resvision import catalog
from resvision.core import references
from resvision.core.samples import Reader
from resvision.detection.augment import BoxAugment
from resvision.detection.batches import BoxTrainBatches
from resvision.detection.detector import RegionDetector
from resvision.detection.proposing import with_regions
from resvision.kinds.detection.boxes import BoxTargets
from resvision.training.compiling import COMPILED
from resvision.training.gradients import LossModule


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("retinanet", {"channels": 4}),
        ("ssd", {"channels": 4, "input_size": 32}),
        ("refinedet", {"channels": 4, "input_size": 32}),
        ("yolov2", {"channels": 8}),
        ("fast_rcnn", {"features": "C4", "channels": 4, "hidden": 4, "proposals": 10}),
        ("faster_rcnn", {"features": "C4", "channels": 4, "hidden": 4, "proposals": 10}),
    ],
)
def test_other_boxes_make_no_further_graphs(name: str, options: dict[str, Any]) -> None:
    net = catalog.build(name, num_classes=len(CLASSES), backbone="vgg11", width=1, **options)
    system = references.load(catalog.find(name).system, noun="system")(net, mean=(0.5,) * 3, std=(0.25,) * 3)
    graphs: list[Callable[..., Any]] = []

    def counted(graph: torch.fx.GraphModule, _: object) -> Callable[..., Any]:
        graphs.append(graph.forward)
        return graphs[-1]

    module = LossModule(system.train())
    module.compile(**COMPILED, backend=counted)
    reader: Reader[BoxTargets] = box_reader(((32, 32),) * 12, counts=(2, 1, 0, 3, 5, 4))
    if isinstance(system, RegionDetector):
        reader = with_regions(reader, MadeUpRegions(), system.net.most_proposals)
    batches = BoxTrainBatches(reader, batch_size=2, seed=0, augment=BoxAugment())
    module(batches[0])
    first = len(graphs)
    assert first >= 1
    for step in range(1, 4):
        module(batches[step])
    assert len(graphs) == first
