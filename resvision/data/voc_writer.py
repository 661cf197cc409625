"""Pascal VOC XML, written: a file for each image (Everingham et al. 2010, https://doi.org/10.1007/s11263-009-0275-4).

VOC counts pixels from 1 and includes the last, so a box (x1, y1, x2, y2) in continuous pixels is written as x1 + 1,
y1 + 1, x2, y2. Whole numbers are written as such; others as decimals, where VOC itself has whole numbers only: most
readers of VOC take them, and a box that was rounded would not come back as it was. Of a box thinner than a pixel,
xmin is above xmax then.

The form holds classes by name and difficult objects. It has no place for regions of crowds, areas, ids and scores.
"""

from pathlib import Path
from xml.etree import ElementTree

from resvision.core.errors import printable
from resvision.data.labelled_image import LabelledImage, number

IMAGES, ANNOTATIONS, LISTS = "JPEGImages", "Annotations", "ImageSets/Main"


def annotation(image: LabelledImage, classes: tuple[str, ...]) -> bytes:
    """The XML document of one image."""
    root = ElementTree.Element("annotation")
    _add(root, folder=IMAGES, filename=printable(image.name))
    _add(ElementTree.SubElement(root, "size"), width=image.width, height=image.height, depth=image.channels)
    _add(root, segmented=0)
    targets = image.targets
    rows = zip(targets.boxes.tolist(), targets.labels.tolist(), targets.difficult.tolist(), strict=True)
    for (x1, y1, x2, y2), label, difficult in rows:
        thing = ElementTree.SubElement(root, "object")
        _add(thing, name=printable(classes[label]), pose="Unspecified", truncated=0, difficult=int(difficult))
        corners = {"xmin": x1 + 1, "ymin": y1 + 1, "xmax": x2, "ymax": y2}
        _add(ElementTree.SubElement(thing, "bndbox"), **{name: number(value) for name, value in corners.items()})
    ElementTree.indent(root, "\t")
    return ElementTree.tostring(root, encoding="unicode").encode() + b"\n"


class VocWriter:
    """Writes a folder: JPEGImages/, Annotations/*.xml, and a list of the names of each split in ImageSets/Main.

    `classes.txt` keeps the order of the classes, and those that have no box; VOC itself has no such file.
    """

    holds = frozenset({"difficult"})
    shares_names = True

    def __init__(self, folder: Path, classes: tuple[str, ...], ids: tuple[int, ...]) -> None:
        self._folder, self._classes = folder, classes
        for name in (IMAGES, ANNOTATIONS, LISTS):
            (folder / name).mkdir(parents=True)

    def images(self, split: str) -> Path:
        """The folder for the images of a split: one for those of all."""
        return self._folder / IMAGES

    def add(self, split: str, image: LabelledImage) -> None:
        """Write the labels of an image."""
        stem = Path(image.name).stem
        (self._folder / ANNOTATIONS / f"{stem}.xml").write_bytes(annotation(image, self._classes))
        with (self._folder / LISTS / f"{split}.txt").open("a", encoding="utf-8") as names:
            names.write(f"{stem}\n")

    def finish(self) -> None:
        """Write the list of the classes."""
        (self._folder / "classes.txt").write_text("".join(f"{name}\n" for name in self._classes), encoding="utf-8")


def _add(parent: ElementTree.Element, **texts: str | int) -> None:
    """Add elements that hold a text each."""
    for name, text in texts.items():
        ElementTree.SubElement(parent, name).text = str(text)
