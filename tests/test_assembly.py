"""Resolving a run: what is set for images reaches the view, the crops and the net."""

import pytest

from resvision.core.errors import SettingsError
from resvision.core.settings import to_json
from resvision.core.views import Stretch, Whole
from resvision.loading.augment import ImageAugment, MaskAugment
from resvision.preparation import resolve
from resvision.recipes import compose
from resvision.run import Run, run_from_json

SCENES = "digit-scenes-composed"
NARROW = ["model.options.backbone=resnet18", "model.options.width=4"]


def resolved(model: str, data: str, *settings: str) -> Run:
    return resolve(compose(model, data, settings=settings))


@pytest.mark.parametrize(
    ("setting", "side_px", "channels"),
    [("data.image_size=16", 16, 1), ("data.channels=3", 32, 3), ("model.options.width=4", 32, 1)],
)
def test_size_and_channels_of_classes_are_those_of_their_view(setting: str, side_px: int, channels: int) -> None:
    run = resolved("resnet20", "digits", setting)
    mean, std = (0.3054,) * channels, (0.3228,) * channels
    assert run.data.view == Stretch(channels=channels, resize_px=side_px, crop_px=side_px, mean=mean, std=std)
    assert (run.data.image_size, run.data.channels) == (side_px, channels)
    assert run.model.options["in_channels"] == channels
    assert run_from_json(to_json(run)) == run


@pytest.mark.parametrize(
    ("settings", "side_px"),
    [([], 96), (["data.image_size=64"], 64), (["augment.crop_px=48"], 48)],
)
def test_the_size_of_label_maps_is_that_of_their_crops(settings: list[str], side_px: int) -> None:
    run = resolved("deeplabv3plus", SCENES, *NARROW, *settings)
    assert isinstance(run.data.view, Whole)
    assert isinstance(run.augment, MaskAugment)
    assert (run.data.image_size, run.augment.crop_px) == (side_px, side_px)
    assert run_from_json(to_json(run)) == run
    assert resolve(run) == run


def test_the_settings_of_another_task_are_refused_with_those_that_it_takes() -> None:
    run = compose("resnet20", "digits", settings=["model.task=segmentation"])
    assert isinstance(run.augment, ImageAugment)
    with pytest.raises(
        SettingsError, match="with ImageAugment, but resnet20 is for segmentation, which takes MaskAugment"
    ):
        resolve(run)
