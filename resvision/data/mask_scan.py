"""Images with label maps by structure and names, and the faults that the values of their masks show.

Glossary
    stored values   the numbers in a mask file, 0..255
    labels          the classes that a net is trained on, 0..K-1, and VOID
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError
from resvision.core.images import VOID, Pixels
from resvision.core.samples import Reader
from resvision.data import cache
from resvision.data.class_list import CLASS_LIST, UNKNOWN, labels_of, unknown_values
from resvision.data.deep_images import sampled_note
from resvision.data.faults import Fault, attempt, fault, summary
from resvision.data.layouts import Scan
from resvision.data.mask_headers import MaskFiles, disagreement, look
from resvision.data.mask_survey import MaskSurvey
from resvision.data.places import Place
from resvision.data.splits import Splits


@dataclass
class MaskScan(Scan):
    """The splits of a set with label maps, and their faults, by structure and names.

    parted       whether the set itself says which images are for testing; else they were split off here
    listed       whether the set says which classes there are
    states_void  whether its list of classes has a line for VOID
    """

    folder: Place
    train: MaskFiles
    test: MaskFiles
    split_rule: str
    faults: list[Fault]
    parted: bool = True
    validation: MaskFiles | None = None
    notes: list[str] = field(default_factory=list)
    listed: bool = True
    states_void: bool = False
    survey: MaskSurvey = field(default_factory=MaskSurvey)
    """Gathers the masks that `look` has decoded."""

    @property
    def readers(self) -> list[MaskFiles]:
        """The readers of training, test, and validation where there is one."""
        return [self.train, self.test, *([self.validation] if self.validation else [])]

    def fingerprint(self, *strays: Reader[Any]) -> str:
        """The fingerprint of all files and of the labels of their values."""
        known = f"{self.train.classes}{self.train.labels.tolist()}{self.states_void}"
        return cache.fingerprint(*self.readers, also=known)

    def look(self, reader: Reader[Any], index: int, faults: list[Fault]) -> Pixels | None:
        """Decode image and mask, which must lie on one another, and note the values that the mask holds."""
        assert isinstance(reader, MaskFiles), "the readers of this scan"
        mask_source = reader.target_source(index)
        mask_head = attempt(reader.mask_header, index, mask_source, faults)
        stored = None if mask_head is None else attempt(reader.stored, index, mask_source, faults)
        self.survey.add(stored, mask_head.palette if mask_head else b"", mask_source, faults)
        image = attempt(reader.image, index, reader.source(index), faults)
        if image is not None and stored is not None and mask_head is not None:
            what = disagreement(reader.header(index), mask_head)
            faults += [fault(mask_source, what)] if what else []
        return image

    def is_deep(self, reader: Reader[Any], index: int) -> bool:
        """Whether an image has 16 bits a channel."""
        assert isinstance(reader, MaskFiles), "the readers of this scan"
        return reader.header(index).deep

    def faults_of_targets(self) -> list[Fault]:
        """The faults of values and classes in all masks."""
        present_values = np.array(self.survey.present, dtype=bool).reshape(-1, 256)
        settle(self, present_values)
        return all_value_faults(self, present_values, self.survey.soft_values)


def scanned(
    folder: Place,
    train: MaskFiles,
    test: MaskFiles,
    validation: MaskFiles | None = None,
    *,
    rule: str,
    faults: list[Fault],
    parted: bool = True,
    notes: Sequence[str] = (),
) -> MaskScan:
    """The scan of readers, whose split rule gives their counts."""
    judging = f" / {len(validation):,} {validation.split}" if validation else ""
    counts = f"{len(train):,} train{judging} / {len(test):,} {test.split} images"
    return MaskScan(folder, train, test, f"{counts}, {rule}", faults, parted, validation, [*notes])


def opened(scan: MaskScan) -> Splits:
    """Check the files of a named set for its splits. Raises DataError for faults of structure, names and headers."""
    facts, faults = look(*scan.readers, decoded=False)
    if faults := scan.faults + faults:
        raise DataError(summary(scan.folder, faults, name=scan.train.name))
    scan.notes += sampled_note(facts.dark)
    return scan.splits


def settle(scan: MaskScan, present_values: NDArray[np.bool_]) -> None:
    """Name the classes of readers that have no class list: every value up to the largest present below VOID."""
    if not scan.train.classes:
        values = np.flatnonzero(present_values[:, :VOID].any(axis=0))
        count = int(values[-1]) + 1 if len(values) else 0
        for reader in scan.readers:
            reader.classes, reader.labels = tuple(f"class {label}" for label in range(count)), labels_of(range(count))


def all_value_faults(
    scan: MaskScan, present_values: NDArray[np.bool_], soft_values: int, *, absent_allowed: bool = False
) -> list[Fault]:
    """The faults of masks and of classes by the values present, (M, 256), those of training first.

    soft_values     the number of values that are soft edges
    absent_allowed  whether classes may occur in no mask
    """
    if soft_values and not scan.listed:
        return [fault(scan.folder, _soft_edges(soft_values, int(present_values.any(axis=0).sum())))]
    faults = _mask_faults(scan, present_values)
    return faults + (_class_faults(scan, present_values) if len(present_values) and not absent_allowed else [])


def _mask_faults(scan: MaskScan, present_values: NDArray[np.bool_]) -> list[Fault]:
    """The faults of the values in masks, `present_values` (M, 256), those of training first."""
    labels, classes = scan.train.labels, scan.train.classes
    sources = [reader.target_source(index) for reader in scan.readers for index in range(len(reader))]
    faults: list[Fault] = []
    # Someone who writes 255 down as void, or who has stored 1 for the object elsewhere, means it
    void_is_meant = scan.states_void or present_values[:, labels == 1].any()
    two_classes = len(classes) == 2 and labels[VOID] == VOID
    one_is_255 = np.array([0, VOID]) if two_classes and not void_is_meant else None
    for source, present_row in zip(sources, present_values, strict=True):
        values = np.flatnonzero(present_row)
        if (labels[values] == UNKNOWN).any():
            faults.append(fault(source, unknown_values(values, labels)))
        elif one_is_255 is not None and np.array_equal(values, one_is_255):
            what = f"values 0 and {VOID} only: {VOID} is void, and 1 is meant for {classes[1]}"
            faults.append(fault(source, f"{what}; {_STATE_IT}, or `{VOID} void` if it is"))
        elif len(values) and (labels[values] == VOID).all():
            faults.append(fault(source, "all void: nothing in it can be learnt or judged; leave the pair out"))
    return faults


def _class_faults(scan: MaskScan, present_values: NDArray[np.bool_]) -> list[Fault]:
    """The faults of classes: too few of them, or some that do not occur among `present_values`, (M, 256)."""
    judged = present_values[: len(scan.train)] if scan.parted else present_values
    occurring = np.asarray(judged.any(axis=0))
    labels, classes = scan.train.labels, scan.train.classes
    if len(classes) < 2:
        text = f"one class only, {classes[0]}" if classes else "no class, since every mask is all void"
        hint = f"; {VOID} is void: {_STATE_IT}" if occurring[VOID] else ""
        return [fault(scan.folder, f"{text}; two are needed{hint}")]
    masks = "training mask" if scan.parted else "mask"
    never = [name for label, name in enumerate(classes) if not (occurring & (labels == label)).any()]
    return [fault(scan.folder, f"{name} never occurs in a {masks}") for name in never]


def _soft_edges(soft: int, values: int) -> str:
    return (
        f"{soft} of the {values} values in its masks are thin lines between a lower and a higher value: edges that were"
        " smoothed or scaled, not classes; save the masks again without smoothing and scale them by nearest neighbour,"
        f" or, if the values are classes, write them into {CLASS_LIST}"
    )


_STATE_IT = f"store 1 in its place, or write `0 background` and `{VOID} object` into {CLASS_LIST}"
