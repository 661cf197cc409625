"""The same nets as people usually compute them, by torchvision and timm, eagerly and in fp32."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from resvision.bench.contenders import Subject
from resvision.core.cores import usable_threads
from resvision.core.errors import MissingExtraError, SettingsError
from resvision.core.references import is_installed
from resvision.core.views import View
from resvision.kinds.graph import PIXELS
from resvision.kinds.seen_samples import Seen
from resvision.runtime.bundle_format import read_manifest
from resvision.runtime.quiet_imports import engine

BATCH = 16
"""Images of a batch from files."""


class Usual:
    """A net of another package, eager and in fp32, a `Contender`.

    takes_lists  whether it takes images of 0..1 one by one, and resizes and normalizes them itself, as detectors do
    """

    precision = "fp32"

    def __init__(self, net: nn.Module, view: View, side_px: int, described: str, *, takes_lists: bool = False) -> None:
        self._net, self._view, self._side_px, self._takes_lists = net.eval(), view, side_px, takes_lists
        self.described = f"{described}, eager, fp32"

    def on_views(self, views: Sequence[Seen]) -> Callable[[], object]:
        """The net alone; pixels are scaled and normalized beforehand."""
        images = self.normalized(views)
        return lambda: self._computed(images)

    def normalized(self, views: Sequence[Seen]) -> Tensor:
        """The images that the net takes, (N, C, H, W) float32."""
        return torch.stack([self._tensor(Image.fromarray(one.pixels.squeeze())) for one in views])

    def on_files(self, files: Sequence[Path]) -> Callable[[], int]:
        """Files to results: two processes decode and resize, as a DataLoader is usually told to."""
        from torchvision.transforms import v2 as transforms

        resized = [transforms.Resize((self._side_px, self._side_px))]
        if self._view.kind == "centre-crop":
            resized = [transforms.Resize(self._view.resize_px), transforms.CenterCrop(self._view.crop_px)]
        as_seen = transforms.Compose([] if self._takes_lists else resized)
        data = _Files(files, lambda image: self._tensor(as_seen(image)), self._view.channels)
        loader: DataLoader[Tensor] = DataLoader(
            data, batch_size=BATCH, num_workers=min(2, usable_threads()), collate_fn=list
        )

        def labelled() -> int:
            for images in loader:
                self._computed(images if self._takes_lists else torch.stack(images))
            return len(files)

        return labelled

    @torch.no_grad()
    def _computed(self, images: Tensor | list[Tensor]) -> object:
        """The results: boxes, or the first of the classes of images or of pixels."""
        if self._takes_lists:
            return self._net([*images])
        logits = self._net(images)
        return (logits["out"] if isinstance(logits, dict) else logits).argmax(dim=1)

    def _tensor(self, image: Image.Image) -> Tensor:
        from torchvision.transforms.v2 import functional as transforms

        scaled: Tensor = transforms.to_dtype(transforms.pil_to_tensor(image), torch.float32, scale=True)
        if self._takes_lists:
            return scaled
        normal: Tensor = transforms.normalize(scaled, [*self._view.mean], [*self._view.std])
        return normal


class _Files(Dataset[Tensor]):
    """Image files as tensors."""

    def __init__(self, files: Sequence[Path], tensor: Callable[[Image.Image], Tensor], channels: int) -> None:
        self._files, self._tensor, self._mode = files, tensor, "L" if channels == 1 else "RGB"

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self._files[index]) as image:
            return self._tensor(image.convert(self._mode))


def torchvision(subject: Subject) -> Usual:
    """torchvision's net of the same name; SettingsError where it has none."""
    net, manifest = _torchvision_net(subject), read_manifest(subject.folder)
    side_px = manifest.usual_inputs[PIXELS][0]
    takes_lists = hasattr(net, "transform")
    if takes_lists:
        net.transform.min_size, net.transform.max_size = (side_px,), side_px
    version = __import__("torchvision").__version__.partition("+")[0]
    return Usual(net, subject.view, side_px, f"torchvision {version}", takes_lists=takes_lists)


def timm(subject: Subject) -> Usual:
    """timm's net of the same name, where timm is installed and has one."""
    if not is_installed("timm"):
        raise MissingExtraError("timm is not installed: pip install 'resvision[timm]'")
    import timm as models

    if not models.is_model(subject.net):
        raise SettingsError(f"timm has no {subject.net}")
    net = models.create_model(subject.net, pretrained=False, num_classes=len(read_manifest(subject.folder).classes))
    return Usual(net, subject.view, read_manifest(subject.folder).usual_inputs[PIXELS][0], f"timm {models.__version__}")


def converted(subject: Subject) -> tuple[Callable[[int], Any], Callable[[Sequence[Seen]], Any]] | None:
    """OpenVINO's model of torchvision's net for a number of views, and its inputs; None for one that takes lists.

    Raises as `torchvision` does.
    """
    net, openvino = _torchvision_net(subject), engine("openvino")
    if hasattr(net, "transform"):
        return None
    side_px, _, channels = read_manifest(subject.folder).usual_inputs[PIXELS]
    usual = Usual(net, subject.view, side_px, "torchvision")

    def model_of(size: int) -> Any:
        shape = (size, channels, side_px, side_px)
        return openvino.convert_model(net, example_input=torch.zeros(shape), input=[shape])

    return model_of, lambda views: usual.normalized(views).numpy()


def _torchvision_net(subject: Subject) -> Any:
    """torchvision's net of the same name, with the weights of ours where they fit; SettingsError where it has none."""
    if not is_installed("torchvision"):
        raise MissingExtraError("torchvision is not installed: pip install 'resvision[train]'")
    from torchvision import models

    if subject.net not in models.list_models():
        raise SettingsError(f"torchvision has no {subject.net}")
    parameters = inspect.signature(models.get_model_builder(subject.net)).parameters
    drawn = {name: None for name in ("weights", "weights_backbone") if name in parameters}
    ours = subject.trained.net.state_dict()
    classes = len(subject.trained.classes)
    for count in (classes, classes + 1):  # detectors have a class for the background
        net = models.get_model(subject.net, **drawn, num_classes=count)
        if _shapes(net.state_dict()) == _shapes(ours):
            net.load_state_dict(ours)
            break
    return net.eval()


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in state.items()}
