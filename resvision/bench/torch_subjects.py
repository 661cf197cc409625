"""Runs, and nets of the catalog with drawn weights, as torch has them and as bundles."""

from dataclasses import replace
from pathlib import Path

import torch

from resvision import catalog
from resvision.assembly import NetWeights, build_system, weights_run
from resvision.bench.contenders import Subject
from resvision.bench.subjects import bundle_subject, is_run
from resvision.core.errors import SettingsError
from resvision.core.views import Stretch, View
from resvision.export.bundles import write_bundle
from resvision.inference.load import Trained, load
from resvision.tasks import task_of
from resvision.training import machine as machines

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GREY_MEAN, GREY_STD = (0.45,), (0.23,)
"""Of grey images, for nets of one channel."""


def run_or_drawn(name: str, *, size_px: int | None, scratch: Path, allow_code: bool) -> Subject:
    """A run by its folder, or a net of the catalog with drawn weights, and its bundle, as `subject_of` says."""
    trained = load(name, device="cpu", allow_code=allow_code) if is_run(name) else drawn(name, size_px)
    if size_px is not None:
        trained = replace(trained, view=_squares(trained.view, size_px), side_px=size_px)
    folder = scratch / "bundle"
    write_bundle(trained, folder, reader=None)
    return bundle_subject(name, folder, trained=trained, drawn=not is_run(name), scratch=scratch)


def drawn(name: str, size_px: int | None) -> Trained:
    """A net of the catalog with weights of seed 0, on the CPU in the precision that suits it."""
    row = catalog.find(name)
    if row.num_classes is None:
        raise SettingsError(f"{name}: bench measures nets that tell classes of images")
    channels, paper_px, _ = row.input
    mean, std = (MEAN, STD) if channels == len(MEAN) else (GREY_MEAN * channels, GREY_STD * channels)
    view = task_of(row.task).usual_view((size_px,) if size_px else (), mean=mean, std=std, input_px=paper_px)
    view = view if view.side_px is not None else _squares(view, size_px or paper_px)
    classes = tuple(f"class {number}" for number in range(row.num_classes))
    weights = NetWeights(name, "", "nothing", view, classes, {})
    run = weights_run(weights, machines.Machine(device="cpu"))
    run = replace(run, model=replace(run.model, init_from=None))
    torch.manual_seed(0)
    system = build_system(run).eval()
    machines.move(system, run.machine, torch.device("cpu"))
    return Trained(
        system=system,
        name=name,
        title=name,
        data="nothing",
        classes=classes,
        view=view,
        side_px=view.side_px,
        machine=run.machine,
        folder=Path(name),
        run=run,
    )


def _squares(view: View, size_px: int) -> View:
    """The view at squares of a size; whole images become such squares."""
    if view.side_px is not None:
        return view.sized(size_px)
    return Stretch(channels=view.channels, resize_px=size_px, crop_px=size_px, mean=view.mean, std=view.std)
