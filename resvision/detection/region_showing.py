"""The regions that a net is given, as a person is shown them: over an image by their rank, and the boxes they cover."""

import numpy as np

from resvision.core.errors import printable
from resvision.core.plurals import counted
from resvision.core.samples import Reader
from resvision.detection.detector import RegionDetector
from resvision.detection.recall import Recall
from resvision.detection.region_search import search_ahead
from resvision.geometry.boxes import area
from resvision.kinds.detection.boxes import BoxTargets, Floats
from resvision.kinds.detection.pictures import Colour, Outline, drawn
from resvision.kinds.forms import Showing, Table
from resvision.tasks import Seen

SHOWN = 60
"""The regions that are drawn, those of highest rank."""

SIZES_PX = (0, 32, 96, 256, 1024)
"""The sizes from which regions are counted together; a size is the square root of a region's area in the image."""

SHOWN_PX = 900
"""The longer side of the picture."""

FIRST: Colour = (255, 176, 0)
LAST: Colour = (70, 130, 255)


def regions_shown(system: RegionDetector, seen: Seen) -> Showing:
    """The regions of an image that a net looks at, by size, and those of highest rank over its view."""
    most = system.net.most_proposals
    in_image, in_view = system.regions.in_image(seen.image, seen.name)[:most], system.regions.of(seen)[:most]
    columns = ("size in px", "regions")
    height, width = seen.geometry.image_sides
    table = Table(columns, _sizes(in_image), columns[1:], f"Regions of an image of {width} x {height}")
    line = f"{counted(len(in_image), 'region')} from outside the net, of which it looks at {most:,} at most"
    pixels = seen.pixels if seen.pixels.shape[2] == 3 else seen.pixels[..., :1]
    chosen = in_view[:SHOWN]
    shades = np.linspace(FIRST, LAST, max(1, len(chosen))).round().astype(int).tolist()
    outlines = [Outline(box, (red, green, blue)) for box, (red, green, blue) in zip(chosen, shades, strict=False)]
    picture = drawn(pixels, outlines, longest_px=SHOWN_PX, dark=0.7)
    drawn_line = f"the picture shows the first {len(chosen):,}, from orange to blue" if len(chosen) else "none is shown"
    document = {"width": width, "height": height, "regions": len(in_image), "boxes": in_image.round(3).tolist()}
    return Showing((table,), (line, drawn_line), {"regions": picture}, document)


def recall_shown(system: RegionDetector, reader: Reader[BoxTargets]) -> Showing:
    """The share of the boxes of a set that the regions cover, by number of regions and by class."""
    search_ahead(reader, system.regions)
    recall = Recall(reader.classes)
    for index in range(len(reader)):
        image, truth = reader[index]
        recall.add(truth, system.regions.in_image(image, reader.source(index))[: system.net.most_proposals])
    line = f"of {printable(reader.name)}, {reader.split}; a net finds no box that none of its regions covers"
    return Showing(recall.tables(), (line,), {}, {"data": reader.name, "split": reader.split, **recall.to_json()})


def _sizes(boxes: Floats) -> list[tuple[str, str]]:
    """The number of regions from each of SIZES_PX on."""
    sizes = np.sqrt(area(boxes))
    rows = []
    for least, end in zip(SIZES_PX, (*SIZES_PX[1:], np.inf), strict=True):
        words = f"{least} and more" if np.isinf(end) else f"{least} to {end:g}"
        rows.append((words, f"{((sizes >= least) & (sizes < end)).sum():,}"))
    return rows
