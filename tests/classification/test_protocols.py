"""The papers' test protocols: which views of an image a net sees, and how what it says of them is averaged."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from photos import PHOTO, photo_classifier, picture, reader_of
from PIL import Image
from torch import nn
from torchvision.transforms import functional as vision

import resvision
from resvision.classification.classifier import Classifier
from resvision.classification.dense import FullyConvolutional
from resvision.classification.protocols import MeanOverViews, Protocol, ViewBatches, apply
from resvision.classification.task import probabilities
from resvision.contracts import Images
from resvision.core.errors import SettingsError, UnknownNameError
from resvision.core.views import Stretch
from resvision.data import sets
from resvision.inference.load import Trained
from resvision.kinds.classification.presets import PRESETS, corners_and_centre, find, proportional, squares
from resvision.launch import Finished
from resvision.layers.fully_connected import convolved
from resvision.tasks import How


@pytest.fixture(scope="module")
def trained(finished: Finished) -> Trained:
    return photo_classifier(finished)


def said_of(trained: Trained, views: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """The softmax of each view by the bare net, one at a time."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (PHOTO.mean, PHOTO.std))
    net = trained.system.net.eval()
    with torch.no_grad():
        inputs = [(torch.from_numpy(view.copy()).permute(2, 0, 1)[None] / 255 - mean) / std for view in views]
        return np.concatenate([net(each).softmax(dim=1).numpy() for each in inputs])


def predicted(
    trained: Trained,
    name: str,
    images: Sequence[NDArray[np.uint8]],
    *,
    scales: Sequence[int] | None = None,
    batch_size: int | None = None,
) -> NDArray[np.float32]:
    protocol = apply(name, trained, scales=scales)
    batches = probabilities(trained, reader_of(images), protocol, How(batch_size=batch_size))
    return np.concatenate([batch.outputs for batch in batches])


def test_every_preset_names_its_paper_and_section() -> None:
    assert [preset.name for preset in PRESETS if "section" not in preset.source or not preset.summary] == []
    assert len({preset.name for preset in PRESETS}) == len(PRESETS)
    with pytest.raises(UnknownNameError, match="nearest: ten-crop"):
        find("tencrop")


@pytest.mark.parametrize(
    ("name", "scales", "views"),
    [
        ("center-crop", (256,), 1),
        ("mirror", (256,), 2),
        ("ten-crop", (256,), 10),
        ("full-image", (256,), 1),
        ("dense", (224, 256, 384, 480, 640), 10),
        ("vgg-dense", (256,), 2),
        ("vgg-dense-fixed", (224, 256, 288), 6),
        ("vgg-dense-jitter", (256, 384, 512), 6),
        ("googlenet-144", (256, 288, 320, 352), 144),
    ],
)
def test_at_224_pixels_a_preset_is_the_papers(name: str, scales: tuple[int, ...], views: int, trained: Trained) -> None:
    large = replace(trained, view=replace(PHOTO, resize_px=256, crop_px=224))
    protocol = apply(name, large)
    assert (protocol.scales, protocol.views) == (scales, views)
    seen = protocol.of(picture(300, 400), name="made")
    assert sum(len(each) for each in seen) == views
    shown = {each.shape[1:3] for each in seen}
    assert shown == ({(224, 224)} if find(name).crops else {(scale, 4 * scale // 3) for scale in scales})


def test_scales_follow_the_crop_and_are_the_papers_for_alexnets_227() -> None:
    assert [proportional(256, crop) for crop in (224, 227, 112, 32)] == [256, 256, 128, 37]


def test_the_single_view_is_the_evaluation_there_always_was(finished: Finished) -> None:
    model = resvision.load(finished.folder)
    assert resvision.evaluate(model, protocol="center-crop").to_json() == finished.scores.to_json()
    reader = sets.open_splits("digits").test
    by_views = Protocol(replace(find("mirror"), mirrored=False), model.view, (model.view.resize_px,))
    single, mean = (
        np.concatenate([batch.outputs for batch in probabilities(model, reader, protocol, How())])
        for protocol in (apply("center-crop", model), by_views)
    )
    np.testing.assert_allclose(mean, single, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(256, 256), (256, 341), (300, 224), (227, 225)])
def test_five_crops_are_torchvisions(height: int, width: int) -> None:
    image = picture(height, width)
    ours = corners_and_centre(image, replace(PHOTO, resize_px=256, crop_px=224))
    theirs = vision.five_crop(torch.from_numpy(image).permute(2, 0, 1), [224, 224])
    for mine, their in zip(ours, theirs, strict=True):
        assert np.array_equal(mine, their.permute(1, 2, 0).numpy())


def test_ten_crops_are_the_mean_over_ten_made_by_hand(trained: Trained) -> None:
    image = picture(37, 50)  # its shorter side is what a crop of 32 asks for, so nothing is resized
    crops = [image[t : t + 32, left : left + 32] for t, left in [(0, 0), (0, 18), (5, 0), (5, 18), (2, 9)]]
    by_hand = said_of(trained, crops + [crop[:, ::-1] for crop in crops])
    assert len(by_hand) == 10
    np.testing.assert_allclose(predicted(trained, "ten-crop", [image])[0], by_hand.mean(axis=0), atol=1e-5)


def test_mirror_is_the_mean_of_an_image_and_its_mirror_image(trained: Trained) -> None:
    image = picture(50, 70)
    seen = PHOTO.show(image, name="made").pixels
    by_hand = said_of(trained, [seen, seen[:, ::-1]]).mean(axis=0)
    np.testing.assert_allclose(predicted(trained, "mirror", [image])[0], by_hand, atol=1e-5)
    both = predicted(trained, "mirror", [image, image[:, ::-1].copy()])
    np.testing.assert_allclose(both[0], both[1], atol=1e-5)


def test_the_144_crops_are_made_of_left_centre_and_right_squares() -> None:
    rule = replace(PHOTO, resize_px=256, crop_px=224)
    wide = picture(256, 341)
    views = squares(wide, rule)
    assert len(views) == 18
    lefts = [0, 42, 85]  # of 85 spare columns; the half goes to the even side
    for left, six in zip(lefts, (views[:6], views[6:12], views[12:]), strict=True):
        square = wide[:, left : left + 256]
        assert np.array_equal(six[0], square[:224, :224])
        assert np.array_equal(six[3], square[32:, 32:])
        assert np.array_equal(six[4], square[16:240, 16:240])
        resized = Image.fromarray(square).resize((224, 224), Image.Resampling.BILINEAR)
        assert np.array_equal(six[5], np.asarray(resized))
    tall = squares(wide.transpose(1, 0, 2), rule)
    assert np.array_equal(tall[12], wide[:224, 85:309].transpose(1, 0, 2))


def test_a_square_image_has_one_square() -> None:
    views = squares(picture(256, 256), replace(PHOTO, resize_px=256, crop_px=224))
    assert len(views) == 6


def test_dense_at_one_scale_is_global_pooling_over_the_larger_map(trained: Trained) -> None:
    image = picture(48, 70)
    by_hand = said_of(trained, [image, image[:, ::-1]]).mean(axis=0)
    np.testing.assert_allclose(predicted(trained, "dense", [image], scales=[48])[0], by_hand, atol=1e-5)


def test_a_full_image_is_seen_once_as_it_is_by_nets_that_take_any_size_and_refused_to_others(trained: Trained) -> None:
    image = picture(60, 45)
    resized = replace(PHOTO, resize_px=37).resized(image, name="made")
    np.testing.assert_allclose(predicted(trained, "full-image", [image])[0], said_of(trained, [resized])[0], atol=1e-5)
    assert "crop" not in apply("full-image", trained).details
    fixed = resvision.build("zf5", num_classes=10, width=4, input_size=64)
    of_one_size = replace(
        trained,
        name="zf5",
        view=replace(PHOTO, resize_px=64, crop_px=64),
        system=Classifier(fixed, mean=PHOTO.mean, std=PHOTO.std),
    )
    with pytest.raises(SettingsError, match=r"full-image: zf5 takes images of one size: .*choose one of center-crop"):
        apply("full-image", of_one_size)


def test_dense_averages_over_scales(trained: Trained) -> None:
    image = picture(60, 45)
    alone = [predicted(trained, "dense", [image], scales=[scale]) for scale in (32, 37, 55)]
    np.testing.assert_allclose(
        predicted(trained, "dense", [image], scales=[32, 37, 55]), np.mean(alone, axis=0), atol=1e-5
    )


@pytest.mark.parametrize("name", [preset.name for preset in PRESETS])
def test_images_of_different_sizes_do_not_depend_on_the_batch_they_are_in(name: str, trained: Trained) -> None:
    images = [picture(40, 52, 1), picture(60, 33, 2), picture(35, 35, 3)]
    together = predicted(trained, name, images, batch_size=64)
    alone = [predicted(trained, name, [image], batch_size=1)[0] for image in images]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)


def test_batches_hold_no_more_views_than_asked_for_or_one_image(trained: Trained) -> None:
    stretched = replace(trained, view=Stretch(channels=3, resize_px=40, crop_px=32, mean=PHOTO.mean, std=PHOTO.std))
    reader = reader_of([picture(40, 40, seed) for seed in range(7)])
    batches = ViewBatches(reader, apply("ten-crop", stretched), batch_size=32)
    assert [len(batches[i].ids) for i in range(len(batches))] == [3, 3, 1]
    batches = ViewBatches(reader, apply("googlenet-144", stretched), batch_size=32)
    assert [len(batches[i].ids) for i in range(len(batches))] == [1] * 7
    batches = ViewBatches(reader, apply("ten-crop", trained), batch_size=32)  # sizes may differ
    assert [len(batches[i].ids) for i in range(len(batches))] == [1] * 7


def test_the_net_sees_no_more_pixels_at_once_than_a_batch_of_crops(trained: Trained) -> None:
    seen = []

    class Watched(Classifier):
        def class_map(self, inputs: Images) -> torch.Tensor:
            seen.append(tuple(inputs.images.shape))
            return super().class_map(inputs)

    protocol = apply("dense", trained, scales=[32, 40, 96])
    system = MeanOverViews(Watched(trained.system.net, mean=PHOTO.mean, std=PHOTO.std).eval(), protocol, batch_size=2)
    with torch.no_grad():
        system.predict(ViewBatches(reader_of([picture(40, 40)]), protocol, batch_size=2)[0].inputs)
    assert seen == [(2, 3, 32, 32), (1, 3, 40, 40), (1, 3, 40, 40), (1, 3, 96, 96), (1, 3, 96, 96)]


def test_testing_leaves_the_net_as_it_was(trained: Trained) -> None:
    before = {name: value.clone() for name, value in trained.system.state_dict().items()}
    predicted(trained, "ten-crop", [picture(40, 40)])
    assert not any(module.training for module in trained.system.modules())
    after = trained.system.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet18", {"width": 4}),
        ("resnet50", {"width": 2}),
        ("resnet20", {"width": 4}),
        ("preresnet110", {"width": 2}),
    ],
)
def test_the_mean_of_a_class_map_is_the_forward(name: str, options: dict[str, int]) -> None:
    torch.manual_seed(0)
    net = resvision.build(name, num_classes=5, **options).eval()
    nn.init.normal_(net.fc.bias)
    assert isinstance(net, FullyConvolutional)
    images = torch.randn(2, 3, 72, 104)
    with torch.no_grad():
        maps, logits = net.class_map(images), net(images)
    stride = 32 if name in {"resnet18", "resnet50"} else 4
    assert maps.shape == (2, 5, -(-72 // stride), -(-104 // stride))
    torch.testing.assert_close(maps.mean(dim=(2, 3)), logits, rtol=1e-4, atol=1e-5)


def test_a_moved_linear_layer_is_the_layer_at_every_position() -> None:
    torch.manual_seed(0)
    linear, maps = nn.Linear(3 * 2 * 2, 5), torch.randn(2, 3, 4, 5)
    moved = convolved(linear, maps, window=2)
    assert moved.shape == (2, 5, 3, 4)
    at = linear(maps[:, :, 1:3, 2:4].flatten(1))
    torch.testing.assert_close(moved[:, :, 1, 2], at)


@pytest.mark.parametrize(
    ("name", "scales", "said"),
    [
        ("ten-crop", [31], "images of 31 px are smaller than the crop of 32 px"),
        ("dense", [16, 64], "images of 16 px are smaller than the crop of 32 px"),
        ("dense", [9000], "scales go up to 8192"),
        ("center-crop", [64], "center-crop: has no scales to choose"),
        ("mirror", [64], "mirror: has no scales to choose"),
        ("dense", [], "dense: no scales given"),
    ],
)
def test_scales_that_cannot_be_are_refused(name: str, scales: list[int], said: str, trained: Trained) -> None:
    with pytest.raises(SettingsError, match=said):
        apply(name, trained, scales=scales)


def test_a_net_that_is_not_convolutional_refuses_dense_testing(trained: Trained) -> None:
    net = resvision.build("resmlp", num_classes=3, in_channels=3, input_size=32, depth=4, width=8)
    system = Classifier(net, mean=PHOTO.mean, std=PHOTO.std).eval()
    with pytest.raises(SettingsError, match=r"cannot be applied fully convolutionally.*choose one of center-crop"):
        apply("dense", replace(trained, system=system))
    assert apply("ten-crop", replace(trained, system=system)).views == 10
