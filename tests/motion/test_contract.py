"""The promises of every system of motion prediction, for each of them."""

from typing import ClassVar

from motion.contract import ForecasterContract

NARROW = {"backbone": "vgg11_bn", "width": 4}


class TestMotionRegression(ForecasterContract):
    name = "motion_regression"
    options: ClassVar = NARROW


class TestMotionRegressionOfThreeModes(ForecasterContract):
    name = "motion_regression"
    options: ClassVar = {**NARROW, "modes": 3, "reference": "constant-velocity"}


class TestMTP(ForecasterContract):
    name = "mtp"
    options: ClassVar = {**NARROW, "hidden": 16}
