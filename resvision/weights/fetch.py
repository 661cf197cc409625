"""Published weights: fetched when they are asked for, and verified each time that they are read.

The file is kept as it was published, since its name has the start of its SHA-256: of what would be made of it, nobody
publishes a sum. A file that was put there by hand, or that torchvision has fetched before, is used where it lies.
"""

import hashlib
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import torch
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import SafetensorError

from resvision.core import rundir
from resvision.core.drafts import draft_folder, sweep, sync_folder
from resvision.core.errors import WeightsError, printable
from resvision.core.files import open_regular
from resvision.core.terminal import tell
from resvision.data.roots import cache_root
from resvision.training.checkpoints import State, os_error, write_tensors
from resvision.weights.foreign import read_foreign
from resvision.weights.published import TORCHVISION, PublishedWeights, entries, find
from resvision.weights.torchvision_detectors import DETECTORS, with_epsilon

SILENCE_S = 30.0
"""Seconds of silence after which a server is given up."""
PIECE = 2**16
MEGABYTE = 2**20


def obtain(published: PublishedWeights, console: Console) -> Path:
    """Get the file of published weights, fetched if need be; its sum is that of its name.

    Raises WeightsError where it cannot be had, is not the file that was published, or holds something else than a
    state dict; RunError where it cannot be written.
    """
    by_hand, kept = place(published), _kept_place(published)
    if by_hand.exists():
        remedy = f"{by_hand}: remove it, or put the file from {published.url} in its place"
        _require(_sha256(by_hand), published, remedy)
        return by_hand
    for file in (kept, Path(torch.hub.get_dir(), "checkpoints", published.file_name)):
        if file.is_file() and _sha256(file).startswith(published.sha256):
            return file
    _fetch(published, kept, console)
    return kept


def read_published(file: Path, *, frozen_eps: float | None = None) -> State:
    """The weights in a file that `obtain` gave, by our names; `frozen_eps` is that of the published weights."""
    state = read_foreign(file).state
    return state if frozen_eps is None else with_epsilon(state, frozen_eps)


def recognized(file: Path, model: str) -> PublishedWeights | None:
    """The published detector that a file is, by its sum; None for any other file."""
    if model not in DETECTORS:
        return None
    digest = _sha256(file)
    known = (find(model, f"{TORCHVISION}:{name}") for name in entries(model))
    return next((published for published in known if digest.startswith(published.sha256)), None)


def place(published: PublishedWeights) -> Path:
    """The path where a person without a network puts the published file."""
    return cache_root() / "weights" / published.file_name


def write_safetensors(path: Path, state: State, about: dict[str, str]) -> None:
    """Write tensors beside `path` and rename them over it; RunError, and nothing changed, where that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft_folder(path) as draft:
            write_tensors(draft / path.name, state, about)
            (draft / path.name).replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise rundir.unwritable(path, error) from None
    except SafetensorError as error:
        raise rundir.unwritable(path, os_error(error)) from None


def _kept_place(published: PublishedWeights) -> Path:
    return cache_root() / "weights" / "fetched" / published.file_name


def _fetch(published: PublishedWeights, kept: Path, console: Console) -> None:
    """Fetch the file, and keep it once its sum is right and it holds a state dict."""
    tell(console, f"fetching {published.url} ({published.megabytes:,.1f} MB)")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        sweep(kept.parent, ours=True)
        with draft_folder(kept) as draft:
            file = draft / kept.name
            _download(published, file, console)
            foreign = read_foreign(file, name=published.url)
            file.replace(kept)
    except OSError as error:
        raise rundir.unwritable(kept.parent, error) from None
    filled = f", {len(foreign.filled)} counts of batches filled in" if foreign.filled else ""
    tell(console, f"weights kept in {kept}: {len(foreign.state)} tensors{filled}")


def _download(published: PublishedWeights, path: Path, console: Console) -> None:
    """Fetch the published file into `path`; WeightsError where something else comes."""
    remedy = f"try again, or put that file at {place(published)}"
    request = Request(published.url, headers={"User-Agent": "resvision"})
    with path.open("xb") as file:
        received, announced, digest = _receive(request, file, published, console, remedy)
    if announced is not None and received != announced:
        raise WeightsError(
            f"{published}: {published.url} was cut off after {received:,} of {announced:,} bytes; {remedy}"
        )
    _require(digest, published, f"what {published.url} gave, {received:,} bytes; {remedy}")


def _receive(
    request: Request, file: IO[bytes], published: PublishedWeights, console: Console, remedy: str
) -> tuple[int, int | None, str]:
    """Open the address and copy the answer, as `_copy` does; WeightsError where address or connection fails."""
    try:
        with build_opener(_SafeRedirects).open(request, timeout=SILENCE_S) as answer:
            return _copy(answer, file, published, console)
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it is the answer too, with its connection
        raise WeightsError(f"{published}: {published.url} cannot be fetched: {_reason(error)}; {remedy}") from None


def _copy(
    answer: IO[bytes], file: IO[bytes], published: PublishedWeights, console: Console
) -> tuple[int, int | None, str]:
    """Write the answer to the file: bytes received, bytes that the server announced, if it did, and the SHA-256.

    No more is taken than the size of the published file.
    """
    length = getattr(answer, "headers", {}).get("Content-Length", "")
    announced = int(length) if length.isdecimal() else None
    received, digest = 0, hashlib.sha256()
    limit = int((published.megabytes + 1) * MEGABYTE)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(published.file_name, total=announced)
        while piece := answer.read(PIECE):
            received += len(piece)
            if received > limit:
                raise ValueError(f"it sends more than the {published.megabytes:,.1f} MB of the file")
            digest.update(piece)
            _write(file, piece, published)
            progress.update(task, completed=received)
    _write(file, b"", published, flush=True)
    return received, announced, digest.hexdigest()


def _write(file: IO[bytes], piece: bytes, published: PublishedWeights, *, flush: bool = False) -> None:
    """Write a piece, with an error of its own, so that a full disk is not taken for a bad connection."""
    try:
        file.write(piece)
        if flush:
            file.flush()
    except OSError as error:
        raise rundir.unwritable(_kept_place(published).parent, error) from None


class _SafeRedirects(HTTPRedirectHandler):
    """A handler that follows redirects, but from https to https only."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """The request to the new address; URLError where that is less safe than the old one."""
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise URLError(f"it leads on to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _reason(error: Exception) -> str:
    """The failure of an address, in a line."""
    inner = error.reason if isinstance(error, URLError) else error
    if isinstance(inner, TimeoutError):
        return f"the server said nothing for {SILENCE_S:g} s"
    message = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(error)
    return printable(message or type(error).__name__)[:200]


def _require(digest: str, published: PublishedWeights, what: str) -> None:
    """Raise WeightsError where the sum of a file is not the one that its name carries."""
    if not digest.startswith(published.sha256):
        start = digest[: len(published.sha256)]
        raise WeightsError(f"{published}: wrong checksum, SHA-256 {start}... and not {published.sha256}..., of {what}")


def _sha256(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from None
