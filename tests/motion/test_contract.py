"""The promises of every system of motion prediction, for each of them."""

from typing import ClassVar

from motion.contract import ForecasterContract

NARROW = {"backbone": "vgg11_bn", "width": 4}


class TestMotionRegression(ForecasterContract):
    name = "motion_regression"
    options: ClassVar = NARROW


class TestMotionRegressionOfThreeModes(ForecasterContract):
    name = "motion_regression"
    exported = False
    options: ClassVar = {**NARROW, "modes": 3, "reference": "constant-velocity"}


class TestMTP(ForecasterContract):
    name = "mtp"
    options: ClassVar = {**NARROW, "hidden": 16}


class TestMTPFromConstantVelocity(ForecasterContract):
    name = "mtp"
    exported = False
    options: ClassVar = {**NARROW, "hidden": 16, "reference": "constant-velocity", "modes": 1}


class TestMTPThatIsToldThePast(ForecasterContract):
    name = "mtp"
    exported = False
    options: ClassVar = {**NARROW, "hidden": 16, "told": "past"}


class TestCoverNet(ForecasterContract):
    name = "covernet"
    options: ClassVar = {**NARROW, "hidden": 16, "modes": 4}


class TestVector(ForecasterContract):
    name = "vector"
    options: ClassVar = {"width": 16, "modes": 2}


class TestReplay(ForecasterContract):
    name = "replay"
    options: ClassVar = {"tracks": 30, "modes": 3}
