"""Uploads that hold several samples each, such as recorded tracks, shown to a net as `predict` shows files of them."""

from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from resvision.core.errors import DataError, printable
from resvision.kinds.seen_samples import Seen
from resvision.prediction.sample_files import SampleFiles
from resvision.runtime.bundle import Bundle
from resvision.serving.refused_requests import RefusedRequest
from resvision.serving.sent_files import SentFile, require_few

LONGEST_STEM = 40
"""Letters of a name that the file gets on disk."""


def seen_samples(bundle: Bundle, sent: SentFile, only: tuple[str, ...], *, most: int) -> list[Seen]:
    """The samples of a file that are asked for, or its usual ones, each as the net sees it.

    only  names or patterns of samples
    most  samples of one request

    Raises RefusedRequest: 413 for more samples than `most`, 422 for a name without a known ending; DataError for a file
    that holds none.
    """
    name = PurePath(sent.name)
    endings = bundle.kind.file_endings
    if name.suffix.casefold() not in endings:
        raise RefusedRequest(
            422,
            f"{sent.name}: this model reads files that hold several samples, told by their ending"
            f" ({', '.join(sorted(endings))}); send the file with its name, in a form or as JSON",
        )
    with TemporaryDirectory(prefix="resvision-") as folder:
        path = Path(folder) / f"{name.stem[:LONGEST_STEM]}{name.suffix}"
        path.write_bytes(sent.content)
        try:
            files = SampleFiles(bundle, only)
            samples = files.samples(path) or []
            files.require_met()
            if not samples:
                raise DataError(f"{sent.name}: holds no samples")
            require_few(len(samples), most)
            return [files.seen(sample) for sample in samples]
        except DataError as error:
            raise DataError(str(error).replace(f"{printable(folder)}/", "")) from None
