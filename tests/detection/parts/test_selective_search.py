import builtins
import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from resvision.core.errors import MissingExtraError
from resvision.core.images import Pixels
from resvision.detection.parts.selective_search import SHORTEST_PX, WIDTH_PX, selective_search
from resvision.geometry.boxes import area, iou, sides
from resvision.kinds.detection.boxes import Floats

cv2 = pytest.importorskip("cv2", reason="needs resvision[rcnn]")


OBJECTS = ((10, 2, 25, 16), (40, 3, 65, 12), (80, 4, 110, 17))


def scene() -> Pixels:
    """Three rectangles of other colours on a ground with a little noise, low and wide so that a search is short."""
    image = np.random.default_rng(0).integers(30, 50, (20, 120, 3), dtype=np.uint8)
    for (left, top, right, bottom), colour in zip(OBJECTS, ((250, 60, 60), (60, 60, 250), (240, 240, 60)), strict=True):
        image[top:bottom, left:right] = colour
    return image


@pytest.fixture(scope="module")
def regions() -> Floats:
    return selective_search(scene())


def test_the_order_is_the_same_in_every_call_on_any_number_of_threads_and_in_a_fresh_process(regions: Floats) -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(2)
        assert np.array_equal(selective_search(scene()), regions)
        assert cv2.getNumThreads() == 2, "a person's own number is theirs again"
    finally:
        cv2.setNumThreads(before)
    code = (
        "import hashlib, sys, numpy as np; from resvision.detection.parts.selective_search import selective_search\n"
        "image = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(20, 120, 3)\n"
        "print(hashlib.sha256(selective_search(image).tobytes()).hexdigest())"
    )
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, input=scene().tobytes(), capture_output=True, check=True).stdout
    assert said.decode().strip() == hashlib.sha256(regions.tobytes()).hexdigest()


def test_objects_of_one_colour_are_among_the_regions_each_once(regions: Floats) -> None:
    assert len(np.unique(regions, axis=0)) == len(regions) > len(OBJECTS)
    assert (iou(np.array(OBJECTS, dtype=np.float64), regions).max(axis=1) > 0.8).all()
    assert (regions >= 0).all()
    assert (regions <= (120, 20, 120, 20)).all()
    assert (sides(regions).min(axis=1) >= SHORTEST_PX * 120 / WIDTH_PX - 1e-4).all()


def test_the_order_is_not_that_of_size_or_place(regions: Floats) -> None:
    for measure in (*regions.T, area(regions)):
        assert abs(np.corrcoef(measure, np.arange(len(regions)))[0, 1]) < 0.5


@pytest.mark.parametrize(("height", "width"), [(3, 40), (300, 1), (1, 1200)])
def test_an_image_of_one_colour_and_of_any_shape_is_one_region(height: int, width: int) -> None:
    (region,) = selective_search(np.full((height, width, 3), 120, dtype=np.uint8))
    assert region.tolist() == pytest.approx([0, 0, width, height])


def test_grey_images_are_searched_as_colour_of_three_equal_channels_whatever_their_form() -> None:
    grey = scene()[..., :1]
    forms = grey, grey[:, :, 0], np.repeat(grey, 5, axis=2), np.repeat(grey, 3, axis=2)
    assert len({selective_search(image).tobytes() for image in forms}) == 1


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == "cv2":
            raise ModuleNotFoundError("No module named 'cv2'", name="cv2")
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"resvision\[rcnn\]"):
        selective_search(scene())
