"""Splits of an opened data set, and their views for nets of other channels and sizes."""

import hashlib
import os
from copy import copy
from typing import Any, NamedTuple

from resvision.core.errors import SettingsError
from resvision.core.samples import Drawing, Reader, Timing
from resvision.core.views import View


class Splits(NamedTuple):
    """Training and test images, and a sentence on how they were parted.

    validation  images that judge a run on its way, where the set has them or some were held out of training
    notes       what a person should know of the files: those left out, and images that look odd
    unused      training images that take no part, where training was cut
    """

    train: Reader[Any]
    test: Reader[Any]
    split_rule: str
    validation: Reader[Any] | None = None
    notes: tuple[str, ...] = ()
    unused: Reader[Any] | None = None

    @property
    def readers(self) -> list[Reader[Any]]:
        """The readers for training, test, and validation where there is one."""
        return [self.train, self.test, *([self.validation] if self.validation is not None else [])]

    def fingerprint(self) -> str:
        """A hash of the classes and of every sample's file name and class, or its target's file name, in order.

        Contents of files are not read.
        """
        digest = hashlib.blake2b("\0".join(self.train.classes).encode(errors="surrogateescape"), digest_size=16)
        for reader in self.readers:
            digest.update(f"\n{len(reader)}\n".encode())
            for index in range(len(reader)):
                name = os.path.basename(reader.source(index))  # noqa: PTH119 - a million times, and no path
                digest.update(f"{name}\0{_target_key(reader, index)}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def seen_as(
        self, *, channels: int | None = None, image_size: int | None = None, view: View | None = None
    ) -> "Splits":
        """The splits for nets that take `channels`, 1 or 3, of `image_size` pixels; None leaves it.

        `view` is the view of the net's weights, in place of the set's own.
        """
        train, test, *validation = (_seen_as(reader, channels, image_size, view) for reader in self.readers)
        return self._replace(train=train, test=test, validation=validation[0] if validation else None)

    def recut(self, timing: Timing, drawing: Drawing) -> "Splits":
        """The splits with samples cut and drawn as a person asks; SettingsError where the data do not allow it."""
        train, test, *validation = (reader.recut(timing, drawing) for reader in self.readers)
        return self._replace(train=train, test=test, validation=validation[0] if validation else None)


def _target_key(reader: Reader[Any], index: int) -> str:
    """The class of a sample, or the file name of its target: it changes where a sample is labelled anew."""
    stratum = reader.stratum(index)
    return os.path.basename(reader.target_source(index)) if stratum is None else str(stratum)  # noqa: PTH119


def _seen_as(reader: Reader[Any], channels: int | None, image_size: int | None, view: View | None) -> Reader[Any]:
    changed = copy(reader)
    try:
        if view is not None:
            changed.view = view
        if channels is not None:
            changed.view = changed.view.coloured(channels)
        if image_size is not None:
            changed.view = changed.view.sized(image_size)
            changed.crop_px = image_size
    except ValueError as error:
        raise SettingsError(f"{reader.name}: {error}") from None
    return changed
