"""Names of image files in folders that are written: those that they had, as far as a form can hold them."""

from collections import Counter
from pathlib import PurePosixPath

LONGEST_BYTES = 200
"""The limit of a name without its ending; file systems take 255 bytes."""


class ImageNames:
    """Gives each image of a folder a name of its own.

    Forms pair an image and its labels by the name up to its ending, so two images never differ in that alone, nor in
    upper and lower case. Letters that a text cannot hold, and white space in lists of names, become underscores.

    renamed  how many images have another name than before, their endings apart
    """

    def __init__(self, *, shared: bool) -> None:
        """`shared` says that the images of all splits lie in one folder, and their names in lists."""
        self._shared = shared
        self._taken: Counter[str] = Counter()
        self.renamed = 0

    def name(self, split: str, path: str, ending: str) -> str:
        """The name, ending in `ending`, for an image of a split that had this path."""
        old = PurePosixPath(path)
        stem = self._writable(old.stem)
        if self._shared and self._key(split, stem) in self._taken:
            stem = f"{split}_{stem}"
        key = self._key(split, stem)
        self._taken[key] += 1
        while self._taken[key] > 1:  # the numbered name may be that of another image
            stem = f"{stem}-{self._taken[key]}"
            key = self._key(split, stem)
            self._taken[key] += 1
        self.renamed += stem != old.stem
        return f"{stem}{ending}"

    def _writable(self, stem: str) -> str:
        letters = (letter if self._is_writable(letter) else "_" for letter in stem)
        return "".join(letters).encode()[:LONGEST_BYTES].decode(errors="ignore")

    def _is_writable(self, letter: str) -> bool:
        return letter.isprintable() and not (self._shared and letter.isspace())

    def _key(self, split: str, stem: str) -> str:
        return stem.casefold() if self._shared else f"{split}/{stem.casefold()}"
