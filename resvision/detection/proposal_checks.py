"""The check of a file of proposals against the images that it is to be of, before anything is trained on them."""

from resvision.core.progress import Bar
from resvision.core.samples import Reader
from resvision.core.terminal import Terminal
from resvision.data.image_sides import image_sides
from resvision.detection.proposal_files import ProposalFile
from resvision.kinds.detection.boxes import BoxTargets
from resvision.training.machine import rank_and_world


def require_regions(file: ProposalFile, reader: Reader[BoxTargets]) -> None:
    """Raise DataError unless a file has regions of each image of a reader, which lie in it; no image is decoded."""
    file.require(reader.source(index) for index in range(len(reader)))
    with Bar(Terminal(stderr=True, quiet=rank_and_world()[0] > 0), "checking proposals", total=len(reader)) as bar:
        for index in range(len(reader)):
            file.regions(reader.source(index), image_sides(reader, index))
            bar.advance()
