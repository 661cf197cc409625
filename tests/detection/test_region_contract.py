"""The contract of detectors that look at given regions, kept by the smallest of them."""

import torch
from detection.box_scenes import CLASSES
from detection.contract import MEAN, STD
from detection.region_contract import RegionDetectorContract
from detection.region_scenes import ColourDetector, ColourNet

from resvision.detection.detector import Detector


class TestColourDetector(RegionDetectorContract):
    def system(self) -> Detector:
        torch.manual_seed(0)
        return ColourDetector(ColourNet(len(CLASSES)), mean=MEAN, std=STD)

    def test_its_row_names_task_and_paper(self) -> None:
        """It has none."""
