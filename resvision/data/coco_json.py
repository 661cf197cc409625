"""COCO's annotations as JSON (Lin et al. 2014, arXiv:1405.0312), as readers of boxes and of label maps need them."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Any, TypeVar

import msgspec

from resvision.core.errors import DataError, printable
from resvision.data.faults import Fault, fault, fault_of
from resvision.data.places import BYTE_ORDER_MARK, Place, read_file

T = TypeVar("T")

ANNOTATION_BYTES = 2**30
"""The limit of the annotations, which are 450 MB for the published training images."""


_MARK = BYTE_ORDER_MARK.encode()

Id = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
"""An id of an image, an annotation or a category."""
Side = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31)]
"""Pixels."""


class CocoImage(msgspec.Struct, gc=False):
    """An image; sides are 0 where the file states none."""

    id: Id
    file_name: str
    height: Side = 0
    width: Side = 0


class CocoCategory(msgspec.Struct, gc=False):
    """A class, and the one that it is a kind of."""

    id: Id
    name: str
    supercategory: Any = None


def read_json(path: Place, form: type[T], faults: list[Fault]) -> T | None:
    """The annotations in a file as `form`; None where they cannot be read, which adds to `faults`."""
    try:
        content = memoryview(read_file(path, ANNOTATION_BYTES))  # half a gigabyte, of which no copy is made
        start = len(_MARK) if content[: len(_MARK)] == _MARK else 0
        return msgspec.json.decode(content[start:], type=form)
    except DataError as error:
        faults.append(fault_of(str(path), error))
    except (ValueError, RecursionError) as error:  # msgspec raises kinds of the first
        faults.append(fault(path, f"no annotations of COCO ({error})"))
    return None


def image_faults(images: Sequence[CocoImage]) -> Iterator[str]:
    """Yield the faults of the list of images, in words: ids and files that are there twice."""
    yield from (f"two images of the id {number}" for number in repeated([image.id for image in images]))
    names = [image.file_name for image in images]
    yield from (f"two images of the file {printable(name)}" for name in repeated(names))


def category_faults(categories: Sequence[CocoCategory]) -> Iterator[str]:
    """Yield the faults of the list of categories, in words: ids that are there twice."""
    yield from (f"two categories of the id {number}" for number in repeated([category.id for category in categories]))


def repeated(keys: Collection[T]) -> list[T]:
    """The keys that are there more than once, in the order of their first place."""
    if len(set(keys)) == len(keys):
        return []
    return [key for key, times in Counter(keys).items() if times > 1]
