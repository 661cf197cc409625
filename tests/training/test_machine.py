"""Automatic choices of speed."""

import pytest
from torch import nn

from resvision.layers.on_cpu import convolutions
from resvision.training import machine
from resvision.training.machine import Machine, decide


@pytest.mark.parametrize(
    ("macs", "image_px", "compiles"),
    [(1e15, 32, True), (1e15, 64, True), (1e15, 224, False), (1e13, 32, False)],
)
def test_long_runs_on_small_images_compile_on_a_cpu(
    monkeypatch: pytest.MonkeyPatch, macs: float, image_px: int, compiles: bool
) -> None:
    monkeypatch.setattr(machine, "compile_hindrance", lambda device: None)
    decided = decide(Machine(device="cpu"), training_macs=macs, image_px=image_px, decodes_files=False)
    assert decided.compile is compiles
    assert ("compiled" in machine.described(decided).split(", ")) is compiles


def test_what_is_asked_for_stays() -> None:
    asked = Machine(
        device="cpu", compile=True, precision="fp32", channels_last=False, threads=1, workers=0, matrix_units=True
    )
    assert decide(asked, training_macs=1.0, image_px=224, decodes_files=True) == asked


@pytest.mark.parametrize(
    ("found", "has_units"), [({"amx_bf16": True}, True), ({"avx512_bf16": True}, False), ({}, False)]
)
def test_matrix_units_are_those_of_the_cpu_until_a_run_has_recorded_them(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, bool], has_units: bool
) -> None:
    monkeypatch.setattr(machine, "_cpu_capabilities", lambda: found)
    decided = decide(Machine(device="cpu"), training_macs=1.0, image_px=32, decodes_files=False)
    assert decided.matrix_units is has_units
    monkeypatch.setattr(machine, "_cpu_capabilities", lambda: {"amx_bf16": not has_units})
    assert decide(decided, training_macs=1.0, image_px=32, decodes_files=False) == decided


@pytest.mark.parametrize("matrix_units", [True, False])
def test_convolutions_compute_as_the_run_has_recorded(matrix_units: bool) -> None:
    net = nn.Sequential(nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3, dilation=2, groups=8))
    seen: list[type[nn.Module]] = []
    with machine.at_work(net, Machine(device="cpu", precision="bf16", matrix_units=matrix_units)):
        seen += [type(layer) for layer in net]
    assert seen == [convolutions.Conv2d if matrix_units else nn.Conv2d, convolutions.Conv2d]
    assert [type(layer) for layer in net] == [nn.Conv2d, nn.Conv2d]
