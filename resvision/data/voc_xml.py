"""The annotation of one image as Pascal VOC writes it in XML (Everingham et al. 2010).

A document type, and so any entity, is refused (`data.xml_documents`). A box is given in pixels that count from 1 and
belong to it: x1 y1 x2 y2 there is (x1 - 1, y1 - 1, x2, y2) in continuous pixels.
"""

from math import isfinite
from typing import NamedTuple

from resvision.core.files import LIST
from resvision.data.places import Place, read_file
from resvision.data.xml_documents import UnexpectedXmlError, guarded_parser, parse, require_shallow

LIMIT = LIST
"""Bytes of an annotation; one with a thousand boxes has half a megabyte."""
LONGEST = 2**12
"""Letters of a text that is read."""
LARGEST = 1e9
"""The limit of a coordinate."""

_SIZE = {"size/width": "width", "size/height": "height"}
_CORNERS = {f"object/bndbox/{corner}": corner for corner in ("xmin", "ymin", "xmax", "ymax")}
_OBJECT = {"object/name": "name", "object/difficult": "difficult", **_CORNERS}
_TEXTS = {**_SIZE, **_OBJECT}
_FLAGS = {"": False, "0": False, "false": False, "1": True, "true": True}


class VocObject(NamedTuple):
    """An object of an image: its class, its box in continuous pixels, the line where it begins."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool
    line: int


class VocAnnotation(NamedTuple):
    """The annotation of an image; `size` is width and height, 0 where they are not stated."""

    size: tuple[int, int]
    objects: list[VocObject]


def read_annotation(place: Place) -> VocAnnotation:
    """Read the annotation in a file. Raises DataError, with the file, the line and the reason."""
    return parse_annotation(read_file(place, LIMIT), str(place))


def parse_annotation(document: bytes, where: str) -> VocAnnotation:
    """The annotation in an XML document. Raises DataError, with `where` and the line."""
    reader = _AnnotationReader()
    return parse(reader.parser, document, where, lambda: VocAnnotation(reader.size(), reader.objects))


class _AnnotationReader:
    """Gathers the objects of an annotation from the events of the parser; handlers raise UnexpectedXmlError."""

    def __init__(self) -> None:
        self.parser = guarded_parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.texts: dict[str, str] = {}
        self.objects: list[VocObject] = []
        self._object: dict[str, str] = {}
        self._line = 0
        self._path: list[str] = []
        self._key: str | None = None

    def size(self) -> tuple[int, int]:
        """Width and height as stated, 0 for each that is not."""
        width, height = (_pixels(self.texts, side) for side in ("width", "height"))
        return (width, height) if width and height else (0, 0)

    def _start(self, name: str, _: dict[str, str]) -> None:
        require_shallow(len(self._path))
        if not self._path and name != "annotation":
            raise UnexpectedXmlError(f"an element {name:.60} where <annotation> is due")
        self._path.append(name)
        key = "/".join(self._path[1:])
        if key == "object":
            self._object, self._line = {}, self.parser.CurrentLineNumber
        self._key = _TEXTS.get(key)
        if self._key in self._texts():
            raise UnexpectedXmlError(f"{name} is there twice")

    def _texts(self) -> dict[str, str]:
        """The texts of the object, or of the image, that the parser is in."""
        return self._object if self._path[1:2] == ["object"] else self.texts

    def _characters(self, text: str) -> None:
        if self._key is not None:
            texts = self._texts()
            texts[self._key] = texts.get(self._key, "") + text
            if len(texts[self._key]) > LONGEST:
                raise UnexpectedXmlError(f"a text of more than {LONGEST:,} letters in {self._path[-1]}")

    def _end(self, _: str) -> None:
        self._path.pop()
        self._key = None
        if len(self._path) == 1 and self._line:
            self._add()
            self._line = 0

    def _add(self) -> None:
        x1, y1, x2, y2 = (_number(self._object, corner) for corner in ("xmin", "ymin", "xmax", "ymax"))
        difficult = self._object.get("difficult", "").strip().casefold()
        if difficult not in _FLAGS:
            raise UnexpectedXmlError(f"difficult is {difficult!r:.40}, neither 0 nor 1")
        if not (name := self._object.get("name", "").strip()):
            raise UnexpectedXmlError("an object without a name")
        self.objects.append(VocObject(name, (x1 - 1, y1 - 1, x2, y2), _FLAGS[difficult], self._line))


def _pixels(texts: dict[str, str], side: str) -> int:
    """A side as stated, 0 where it is not."""
    if not texts.get(side, "").strip():
        return 0
    number = _number(texts, side)
    if number < 0 or not number.is_integer():
        raise UnexpectedXmlError(f"{side} is {number:g}, no number of pixels")
    return int(number)


def _number(texts: dict[str, str], corner: str) -> float:
    text = texts.get(corner, "").strip()
    if not text:
        raise UnexpectedXmlError(f"an object without {corner} in its bndbox")
    try:
        number = float(text.replace("_", "?"))  # which Python takes between digits, and XML does not
    except ValueError:
        raise UnexpectedXmlError(f"{corner} is {text!r:.40}, no number") from None
    if not isfinite(number) or abs(number) > LARGEST:
        raise UnexpectedXmlError(f"{corner} is {text:.40}, no coordinate of an image")
    return number
