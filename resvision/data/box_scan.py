"""Images with boxes by structure, labels and headers: classes by name, frames and faults settled, readers built.

Glossary
    N  images of a split
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import shuffled
from resvision.core.errors import DataError, printable
from resvision.core.images import Pixels
from resvision.core.plurals import counted
from resvision.core.samples import Reader
from resvision.data import cache
from resvision.data.box_checks import sound
from resvision.data.box_classes import ids_of, in_classes, name_faults
from resvision.data.box_frames import frames_of, in_pixels, stood_upright
from resvision.data.box_headers import HeaderFacts, look
from resvision.data.box_parts import BoxPart
from resvision.data.box_reader import BoxReader
from resvision.data.box_splits import without_shared
from resvision.data.deep_images import sampled_note
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import Fault, attempt, fault, summary
from resvision.data.layouts import Layout, Scan, Whole
from resvision.data.litter import note_of
from resvision.data.places import Place
from resvision.data.splits import Splits


@dataclass
class BoxScan(Scan):
    """The splits of a set with boxes, and all faults but those of pixels."""

    folder: Place
    train: BoxReader
    test: BoxReader
    validation: BoxReader | None
    split_rule: str
    faults: list[Fault]
    notes: list[str] = field(default_factory=list)

    left_out: list[str] = field(default_factory=list)
    """The note on what was left out, which is a part of the split rule."""

    @property
    def splits(self) -> Splits:
        """The splits; what was left out stands in their rule, and not among their notes."""
        return super().splits._replace(notes=tuple(note for note in self.notes if note not in self.left_out))

    @property
    def readers(self) -> list[BoxReader]:
        """The readers of training, test, and validation where there is one."""
        return [self.train, self.test, *([self.validation] if self.validation else [])]

    def fingerprint(self, *strays: Reader[Any]) -> str:
        """The fingerprint of all files."""
        return cache.fingerprint(*self.readers)

    def look(self, reader: Reader[Any], index: int, faults: list[Fault]) -> Pixels | None:
        """Decode an image; its boxes are known."""
        assert isinstance(reader, BoxReader), "the readers of this scan"
        return attempt(reader.image, index, reader.source(index), faults)

    def is_deep(self, reader: Reader[Any], index: int) -> bool:
        """Whether an image has 16 bits a channel."""
        assert isinstance(reader, BoxReader), "the readers of this scan"
        return reader.header(index).deep


@dataclass(kw_only=True)
class Found:
    """The parts of a set as a form's files state them.

    folder   the set's location, by which faults of the whole are named
    shown    the name of the set: its own, or the folder as it was named
    parts    by split: training first, then the one that judges the result, then the one that judges on the way;
             one alone where the set has no splits
    classes  all names in order; those of training where the files list none
    listed   the file that lists the classes; None where boxes name them
    rule     how images were parted
    """

    folder: Place
    shown: str
    parts: list[BoxPart] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    listed: Place | None = None
    rule: str = ""
    ledger: Ledger
    litter: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Find = Callable[[Place, Ledger, str | None], Found]
"""Finds the parts of a set in a folder, for a named set by its name, and adds their faults to the ledger."""


def scanned(find: Find, folder: Place, allow: Sequence[str] = (), *, name: str | None = None) -> BoxScan:
    """The scan of a folder whose parts `find` gives: with a part alone, a fifth of it is split off."""
    ledger = Ledger(allow)
    found = find(folder, ledger, name)
    if not found.parts:
        raise DataError(summary(folder, ledger.faults, name=name))
    if len(found.parts) == 1:
        found.parts = _split_off(found)
    found.parts = without_shared(found.parts, ledger)
    settled = _settled(found)
    readers = settled.readers
    train, test, *validation = readers
    counts = " / ".join(f"{len(reader):,} {reader.split}" for reader in (train, *validation, test))
    judging = f"; {validation[0].split} judges on the way, {test.split} the result" if validation else ""
    left_out = "".join(f"; {note}" for note in ledger.notes())
    return BoxScan(
        folder=folder,
        train=train,
        test=test,
        validation=validation[0] if validation else None,
        split_rule=f"{counts} images, {found.rule}{judging}{left_out}",
        faults=ledger.faults,
        notes=[*note_of(found.litter), *found.notes, *ledger.notes(), *sampled_note(settled.facts.dark)],
        left_out=ledger.notes(),
    )


def layout(
    find: Find, *, recognises: Callable[[Place], bool], has_splits: Callable[[Place], bool], hint: str
) -> Layout:
    """The layout of a form of boxes. `has_splits` says whether a folder has splits of its own."""

    def opened(folder: Place, columns: Sequence[str] = (), *, allow: Sequence[str] = ()) -> Splits:
        return open_scan(scanned(find, folder, allow))

    def whole(folder: Place, columns: Sequence[str] = (), *, allow: Sequence[str] = ()) -> Whole | None:
        return None if has_splits(folder) else open_whole(find, folder, allow)

    def scan(folder: Place, columns: Sequence[str] = (), *, allow: Sequence[str] = ()) -> Scan:
        return scanned(find, folder, allow)

    def allowing(allow: Sequence[str]) -> Layout:
        return Layout(
            recognises=lambda place, columns: recognises(place),
            scan=partial(scan, allow=allow),
            open=partial(opened, allow=allow),
            open_whole=partial(whole, allow=allow),
            hint=hint,
            allowing=allowing,
        )

    return allowing(())


def open_scan(scan: BoxScan, *, name: str | None = None) -> Splits:
    """The splits of a scan. Raises one DataError for all its faults."""
    if scan.faults:
        raise DataError(summary(scan.folder, scan.faults, name=name))
    return scan.splits


def open_whole(find: Find, folder: Place, allow: Sequence[str] = ()) -> Whole:
    """All images of a folder without splits as one. Raises one DataError for all faults."""
    ledger = Ledger(allow)
    found = find(folder, ledger, None)
    if not found.parts:
        raise DataError(summary(folder, ledger.faults))
    found.parts[0].split = "all"
    settled = _settled(found)
    if ledger.faults:
        raise DataError(summary(folder, ledger.faults))
    return Whole(settled.readers[0], (*note_of(found.litter), *found.notes, *ledger.notes()))


class _Settled(NamedTuple):
    readers: list[BoxReader]
    facts: HeaderFacts


def _settled(found: Found) -> _Settled:
    """The readers of all parts; what is wrong with them is added to the ledger."""
    ledger = found.ledger
    facts, unreadable = look(found.parts)
    ledger.faults += unreadable
    if found.classes or (found.listed is not None and not ledger.faults):
        name_faults(found.listed or found.folder, found.classes, ledger)
    view = facts.view()
    readers = []
    for part, heads in zip(found.parts, facts.parted(found.parts), strict=True):
        columns = in_classes(part, found.classes, ledger)
        part = replace(part, columns=columns, names=found.classes, ids=ids_of(part, found.classes))
        frames = frames_of(part, heads, ledger)
        indices = np.flatnonzero(frames.kept)
        part, heads, sides = part.at(indices), heads[indices], frames.sides[indices]
        boxes = sound(part, in_pixels(part, sides), sides, ledger)
        readers.append(
            BoxReader(
                name=found.shown,
                split=part.split,
                classes=found.classes,
                view=view,
                images=part.images,
                image_names=part.image_names,
                sources=part.sources,
                columns=stood_upright(boxes, heads, frames.turned[indices]),
                sides=frames.upright[indices],
                category_ids=part.ids,
            )
        )
    _require_boxes(found, readers)
    return _Settled(readers, facts)


def _require_boxes(found: Found, readers: list[BoxReader]) -> None:
    """Add the faults of splits without an image, and of training without a box.

    Splits that cannot judge are noted, and classes that training never shows.
    """
    if found.ledger.faults:
        return
    for reader in readers:
        if not len(reader):
            found.ledger.faults.append(fault(found.folder, f"no images of {reader.split}"))
        elif reader is not readers[0] and reader.columns.crowd.all():
            found.notes.append(f"no box to find in the images of {reader.split}, so they can judge no training")
    occurring = np.bincount(readers[0].columns.labels, minlength=len(found.classes))
    if not occurring.any():
        found.ledger.faults.append(fault(found.folder, f"no box in the images of {readers[0].split}"))
    elif never := [name for name, count in zip(found.classes, occurring, strict=True) if not count]:
        more = f" and {len(never) - 5:,} more" if len(never) > 5 else ""
        shown = ", ".join(map(printable, never[:5]))
        found.notes.append(f"{counted(len(never), 'class')} without a box in {readers[0].split}: {shown}{more}")


def _split_off(found: Found) -> list[BoxPart]:
    """Training and validation of a set without splits: a fifth of its images, at least one, is validation."""
    (part,) = found.parts
    if len(part) < 2 and not found.ledger.faults:
        images = "one image only" if len(part) else "no images"
        found.ledger.faults.append(fault(part.images, f"{images}; two are needed to split one off"))
    found.rule = "a fifth is val, after a shuffle with seed 0"
    order: NDArray[np.int64] = np.asarray(shuffled(len(part), seed=0), dtype=np.int64)
    held_out = np.sort(order[: max(1, len(part) // 5)])
    train = part.at(np.setdiff1d(np.arange(len(part)), held_out))
    val = part.at(held_out)
    train.split, val.split = "train", "val"
    return [train, val]
