"""What a person asks of predictions, and what one is told before a training."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from detection.box_scenes import CLASSES, VIEW, box_reader, seen, targets

from resvision import catalog
from resvision.core.errors import DataError, NonFiniteLossError, SettingsError
from resvision.core.views import Letterbox, Whole
from resvision.detection.anchor_advice import anchor_advice, shown_boxes
from resvision.detection.retinanet import RetinaNetDetector
from resvision.detection.task import TASK
from resvision.kinds.detection.asked_suppression import groups_of, suppression_of
from resvision.kinds.detection.suppression import Suppression
from resvision.kinds.prediction_options import PredictionOptions
from resvision.tasks import How, Model, Question
from resvision.training.initial import initial_state, modules_of
from resvision.training.machine import Machine

MACHINE = Machine(device="cpu", precision="fp32", threads=1, workers=0)
USUAL = Suppression(score=0.05, iou=0.5, most=100)


def model(*, anchor_scale: float = 1.0, side_px: int = 32) -> Model:
    """A narrow RetinaNet, new but for scores that are worth a look."""
    net = catalog.build("retinanet", num_classes=2, backbone="resnet18", width=4, channels=8, anchor_scale=anchor_scale)
    torch.nn.init.constant_(net.head.classification_head.cls_logits.bias, 0.0)
    system = RetinaNetDetector(net, mean=VIEW.mean, std=VIEW.std).eval()
    return Model("retinanet", "run", "rectangles", CLASSES, VIEW, side_px, system, MACHINE)


def on_meta(anchor_scale: float) -> RetinaNetDetector:
    with torch.device("meta"):
        return model(anchor_scale=anchor_scale).system


def test_groups_of_classes_are_read_by_name() -> None:
    classes = ("cat", "dog", "car", "bus", "tree")
    assert groups_of("per-class", classes) is None
    assert len(set(groups_of("all", classes))) == 1
    cat, dog, car, bus, tree = groups_of("cat,dog; car , bus", classes)
    assert cat == dog
    assert car == bus
    assert len({cat, car, tree}) == 3
    with pytest.raises(SettingsError, match=r"suppress: no class 'cta'; the nearest are cat"):
        groups_of("cta,dog", classes)
    with pytest.raises(SettingsError, match="'dog' is named twice"):
        groups_of("cat,dog;dog", classes)
    with pytest.raises(SettingsError, match="names no class"):
        groups_of(" ;,", classes)


def test_what_a_person_leaves_out_stays_the_systems() -> None:
    assert suppression_of(USUAL, PredictionOptions(), CLASSES) == USUAL
    asked = suppression_of(USUAL, PredictionOptions(score=0.4, most=3, suppress="all"), CLASSES)
    assert asked == Suppression(score=0.4, iou=0.5, most=3, groups=(0, 0))
    with pytest.raises(SettingsError, match=r"score must lie in 0\.\.1, got 1\.5"):
        suppression_of(USUAL, PredictionOptions(score=1.5), CLASSES)


def test_a_model_that_is_asked_for_more_shares_the_net_and_leaves_the_other_as_it_was() -> None:
    usual = model()
    strict = TASK.configured(usual, PredictionOptions(score=0.5, most=2))
    assert strict.net is usual.net
    assert usual.system.suppression == USUAL
    image = box_reader()[0].image[:, :32]
    (many,), (few,) = TASK.raw(usual, [seen(image)]), TASK.raw(strict, [seen(image)])
    assert len(many.scores) > len(few.scores) == 2
    assert np.array_equal(many.boxes[:2], few.boxes)
    assert few.scores.min() > 0.5


def test_a_description_says_what_counts_as_found() -> None:
    asked = How(protocol="voc07", prediction=PredictionOptions(score=0.2, suppress="all"))
    described = TASK.describe(model(), asked)
    assert described.title.startswith("voc07: ")
    assert described.lines == (
        "boxes with a score above 0.2, but for those that overlap a better one of any class by more than 0.5;"
        " at most 100 in an image",
    )


def test_truth_is_matched_by_the_names_of_classes() -> None:
    reader = box_reader(split="test")
    turned = box_reader(split="test")
    turned.classes = CLASSES[::-1]
    turned.boxes = [truth._replace(labels=1 - truth.labels) for truth in turned.boxes]
    net = model()
    here, there = (TASK.evaluate(net, each, How()) for each in (reader, turned))
    assert here.to_json() == there.to_json()
    turned.classes = ("wide", "round")
    with pytest.raises(DataError, match="classes that the run was not trained on: round"):
        TASK.evaluate(net, turned, How())


def test_maps_that_are_no_numbers_are_no_empty_predictions() -> None:
    broken = model()
    with torch.no_grad():
        broken.net.head.regression_head.bbox_reg.bias[0] = float("nan")
    with pytest.raises(NonFiniteLossError, match="weights are damaged"):
        TASK.evaluate(broken, box_reader(split="test"), How())


def test_boxes_are_held_against_anchors_as_the_net_sees_them() -> None:
    reader = box_reader(((32, 48),) * 3, counts=(2,))
    shown = shown_boxes(reader, 96)
    assert shown.shape == (6, 4)
    stored = np.concatenate([truth.boxes for truth in reader.boxes])
    assert np.allclose(shown[:, 2:] - shown[:, :2], 2 * (stored[:, 2:] - stored[:, :2]))
    reader.boxes[0] = reader.boxes[0]._replace(crowd=np.array([True, False]))
    assert len(shown_boxes(reader, 96)) == 5
    assert len(shown_boxes(box_reader(((32, 48),) * 200, counts=(1,)), 96, most=10)) < 20


def test_a_person_is_told_of_boxes_that_no_anchor_matches() -> None:
    reader = box_reader(((32, 32),) * 4, view=Letterbox(channels=3, mean=VIEW.mean, std=VIEW.std, size_px=96))
    assert anchor_advice(on_meta(4.0), reader, 96) == {}
    reader.boxes[0] = targets([(2, 2, 4, 4), (20, 20, 34, 28)])
    said = anchor_advice(on_meta(4.0), reader, 96)["anchors"]
    assert said.startswith("1 of 6 training boxes match no anchor in squares of 96 px: they are 6 to 6 px long")
    with pytest.raises(SettingsError, match=r"all 6 training boxes match no anchor .* anchors 256 to"):
        anchor_advice(on_meta(32.0), reader, 96)
    with pytest.raises(DataError, match="no training image has a box"):
        anchor_advice(on_meta(4.0), box_reader(counts=(0,)), 96)


def test_advice_leaves_the_system_as_it_is() -> None:
    system = model().system
    anchor_advice(system, box_reader(), 32)
    np.testing.assert_allclose(system.mean.flatten(), 255 * np.array(VIEW.mean))


def test_an_explanation_is_about_the_surest_box_of_a_class_at_a_point() -> None:
    net, image = model(), box_reader()[0].image[:, :32]
    (found,) = TASK.raw(net, [seen(image)])
    surest = TASK.explained_score(net, seen(image), Question())
    assert surest.label == CLASSES[found.labels[0]]
    assert surest.share == pytest.approx(float(found.scores[0]), abs=1e-6)
    twice = surest.score(surest.net(surest.images.repeat(2, 1, 1, 1)))
    assert twice.tolist() == pytest.approx([surest.share] * 2, abs=1e-6)
    point = np.array([[3.0, 29.0]])
    for label, name in enumerate(CLASSES):
        asked = TASK.explained_score(net, seen(image), Question(label=label, points=point))
        assert asked.label == name
        assert asked.share <= float(asked.net(asked.images)[0, :, 4].detach().max())
        assert asked.box is not None
        left, top, right, bottom = asked.box.tolist()
        assert left <= 3 <= right
        assert top <= 29 <= bottom
    with pytest.raises(DataError, match="no box of the class, however unsure, lies there"):
        TASK.explained_score(net, seen(image), Question(points=np.array([[3.0, 900.0]])))


def test_views_that_a_person_names_in_sides() -> None:
    numbers = {"mean": VIEW.mean, "std": VIEW.std, "input_px": 300}
    assert TASK.usual_view((), **numbers).size_px == 300
    assert TASK.usual_view((64,), **numbers).size_px == 64
    assert TASK.usual_view((600, 1000), **numbers).longest_px == 1000
    TASK.require_view(Whole(channels=3, mean=VIEW.mean, std=VIEW.std))


@pytest.mark.parametrize("option", ["score", "iou", "suppress", "most"])
def test_tasks_that_find_nothing_refuse_the_options(
    option: str, finished: object, tmp_path: Path, cli: Callable[..., tuple[int, str, str]]
) -> None:
    value = {"suppress": "all", "most": "2"}.get(option, "0.5")
    code, _, error = cli("evaluate", finished.folder, f"--{option}", value)
    assert code == 2
    assert f"--{option}: runs of classification have no use for it" in error


@pytest.mark.parametrize(
    ("name", "options", "afresh", "kept"),
    [
        (
            "retinanet",
            {},
            "head.classification_head.cls_logits",
            {"backbone", "head.classification_head.conv", "head.regression_head"},
        ),
        ("ssd", {"input_size": 64}, "head.classification_head", {"backbone", "head.regression_head"}),
        (
            "refinedet",
            {"input_size": 64},
            "odm.classification_head",
            {"backbone", "arm", "connections", "odm.regression_head"},
        ),
        ("faster_rcnn", {"hidden": 16}, "roi_heads.box_predictor", {"backbone", "rpn", "roi_heads.box_head"}),
    ],
)
def test_weights_for_other_classes_name_the_heads_that_stay_and_those_that_start_afresh(
    name: str, options: dict[str, int], afresh: str, kept: set[str]
) -> None:
    narrow = {"backbone": "resnet18", "width": 4, "channels": 8, **options}
    two, three = (catalog.build(name, num_classes=number, **narrow) for number in (2, 3))
    given = two.state_dict()
    with pytest.raises(SettingsError, match=f"afresh by --set model.init_except={re.escape(afresh)}$"):
        initial_state(three, Path("two"), fresh=(), read=lambda _: given)
    started = initial_state(three, Path("two"), fresh=[afresh], read=lambda _: given)
    own = three.state_dict()
    for key, tensor in started.items():
        assert torch.equal(tensor, own[key] if key.startswith(afresh) else given[key]), key
    assert {*modules_of([key for key in own if not key.startswith(afresh)], own)} == kept
