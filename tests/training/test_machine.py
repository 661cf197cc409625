"""Automatic choices of speed."""

import pytest

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
    asked = Machine(device="cpu", compile=True, precision="fp32", channels_last=False, threads=1, workers=0)
    assert decide(asked, training_macs=1.0, image_px=224, decodes_files=True) == asked
