"""What every detector whose net looks at given regions promises beside the contract of all detectors.

class TestFastRCNN(RegionDetectorContract):
    name = "fast_rcnn"
    options = {"backbone": "resnet18", "width": 4, "proposals": 40}
"""

from dataclasses import replace

import torch
from detection.box_scenes import box_reader
from detection.contract import DetectorContract, minimised
from detection.region_scenes import MadeUpRegions, proposed
from torch import Tensor, nn

from resvision.contracts import Batch, Images, tensors_of
from resvision.detection.augment import BoxAugment
from resvision.detection.batches import BoxTrainBatches
from resvision.detection.detector import Detector, ProposedImages, RegionDetector
from resvision.detection.parts.suppression import Predictions
from resvision.detection.proposing import with_regions


class RegionDetectorContract(DetectorContract):
    """The tests of one system at narrow width; inputs have regions at any place, those of batches fit the boxes too."""

    name = ""

    def inputs(self, images: Tensor) -> ProposedImages:
        return proposed(images, self.most())

    def most(self) -> int:
        system = self.system()
        assert isinstance(system, RegionDetector)
        return system.net.most_proposals

    def batch(self, size: int = 4) -> Batch:
        """Images of rectangles with 2, 1, 0 and 3 boxes, in an order that is drawn, and their regions."""
        reader = with_regions(box_reader(((20, 20),) * size), MadeUpRegions(), self.most())
        view = reader.view.sized(self.side)
        return BoxTrainBatches(reader, batch_size=size, seed=0, augment=BoxAugment(), view=view)[0]

    def with_boxes_of_each_map(self, system: Detector) -> Batch:
        """A batch whose regions fit its boxes."""
        return self.batch()

    def without_regions(self) -> Batch:
        batch = self.batch()
        return batch._replace(inputs=batch.inputs._replace(proposals=torch.zeros_like(batch.inputs.proposals)))

    def found(self, system: Detector, inputs: Images | ProposedImages) -> Predictions:
        system.suppression = replace(system.suppression, score=0.0)
        with torch.no_grad():
            return system.predict(inputs)

    def test_without_proposals_the_whole_image_is_the_only_one(self) -> None:
        system, images = self.lively(), self.images(2, self.other_sides)
        height, width = self.other_sides
        whole = torch.tensor([0.0, 0.0, width, height]).expand(2, 1, 4)
        for given, alone in zip(
            self.found(system, ProposedImages(images, whole)), self.found(system, Images(images)), strict=True
        ):
            torch.testing.assert_close(alone, given)

    def test_nothing_is_found_in_an_image_without_regions(self) -> None:
        system = self.lively()
        images, proposals = self.inputs(self.images(3))
        proposals[1] = 0
        counts = self.found(system, ProposedImages(images, proposals)).counts
        assert counts[1] == 0
        assert counts[0] > 0
        assert counts[2] > 0

    def test_images_without_regions_give_finite_losses_and_gradients(self) -> None:
        system = self.system().train()
        losses = system.losses(self.without_regions())
        minimised(losses).backward()
        for name, parameter in system.net.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, f"{name}: several processes would not share its gradient"
                assert torch.isfinite(parameter.grad).all(), name

    def test_neither_the_number_of_places_nor_the_order_of_regions_changes_what_is_found(self) -> None:
        system = self.lively()
        images, proposals = self.inputs(self.images(2))
        usual = self.found(system, ProposedImages(images, proposals))
        others = {
            "more places": nn.functional.pad(proposals, (0, 0, 0, 5)),
            "places at the front": proposals.flip(1),
        }
        for words, other in others.items():
            found = self.found(system, ProposedImages(images, other))
            assert torch.equal(found.counts, usual.counts), words
            torch.testing.assert_close(found.scores, usual.scores)  # regions that look alike to a net may change places

    def test_regions_of_one_image_are_none_of_another(self) -> None:
        system = self.lively()
        inputs = self.inputs(self.images(2))
        for row in range(2):
            alone = ProposedImages(*(member[row : row + 1] for member in inputs))
            with torch.no_grad():
                maps, together = system.maps(alone), system.maps(inputs)
            for one, both in zip(tensors_of(maps), tensors_of(together), strict=True):
                torch.testing.assert_close(one[0], both[row], rtol=1e-4, atol=1e-4)
