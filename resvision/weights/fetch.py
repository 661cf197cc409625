"""Published weights as a file of ours: fetched when they are asked for, verified, and kept under our names.

The kept file is one of safetensors in the cache folder, written whole or not at all; it holds the SHA-256 of the file
that it was made from. A file that torchvision has fetched before is used where it lies.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import torch
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import SafetensorError, safe_open

from resvision.core import rundir
from resvision.core.errors import WeightsError, printable
from resvision.data.roots import cache_root
from resvision.training.checkpoints import State, os_error, write_tensors
from resvision.weights.foreign import read_foreign
from resvision.weights.published import Published

SILENCE_S = 30.0
"""Seconds of silence after which a server is given up."""
PIECE = 2**16
MEGABYTE = 2**20


def obtain(published: Published, console: Console) -> Path:
    """Get the safetensors file of published weights, by our names, fetched if need be.

    Raises WeightsError where they cannot be had, are not the file that was published, or hold something else than a
    state dict; RunError where they cannot be written.
    """
    kept = place(published).with_suffix(".safetensors")
    if _made_from(kept, published):
        return kept
    with _whole_file(published, console) as (file, digest):
        foreign = read_foreign(file, name=published.url)
    about = {"source": published.source, "url": published.url, "sha256": digest}
    write_safetensors(kept, foreign.state, about)
    filled = f", {len(foreign.filled)} counts of batches filled in" if foreign.filled else ""
    _tell(console, f"weights kept in {kept}: {len(foreign.state)} tensors{filled}")
    return kept


def place(published: Published) -> Path:
    """The path where a person without a network puts the published file."""
    return cache_root() / "weights" / published.file_name


def write_safetensors(path: Path, state: State, about: dict[str, str]) -> None:
    """Write tensors beside `path` and rename them over it; RunError, and nothing changed, where that fails."""
    draft = _draft(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(draft, state, about)
        draft.replace(path)
    except OSError as error:
        raise rundir.unwritable(path, error) from None
    except SafetensorError as error:
        raise rundir.unwritable(path, os_error(error)) from None
    finally:
        _remove(draft)


@contextmanager
def _whole_file(published: Published, console: Console) -> Iterator[tuple[Path, str]]:
    """Give the published file and its SHA-256: put there by hand, fetched by torchvision, or fetched now."""
    by_hand, of_torch = place(published), Path(torch.hub.get_dir(), "checkpoints", published.file_name)
    if by_hand.exists():
        digest = _sha256(by_hand)
        _require(digest, published, f"{by_hand}: remove it, or put the file from {published.url} in its place")
        yield by_hand, digest
        return
    if of_torch.is_file() and (digest := _sha256(of_torch)).startswith(published.sha256):
        yield of_torch, digest
        return
    draft = _draft(by_hand)
    try:
        yield draft, _download(published, draft, console)
    finally:
        _remove(draft)


def _download(published: Published, draft: Path, console: Console) -> str:
    """Fetch the file into `draft`, and return its SHA-256."""
    _tell(console, f"fetching {published.url} ({published.megabytes:,.1f} MB)")
    remedy = f"try again, or put that file at {place(published)}"
    request = Request(published.url, headers={"User-Agent": "resvision"})
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            received, announced, digest = _receive(request, file, published, console, remedy)
    except OSError as error:
        raise rundir.unwritable(draft.parent, error) from None
    if announced is not None and received != announced:
        raise WeightsError(
            f"{published}: {published.url} was cut off after {received:,} of {announced:,} bytes; {remedy}"
        )
    _require(digest, published, f"what {published.url} gave, {received:,} bytes; {remedy}")
    return digest


def _receive(
    request: Request, file: IO[bytes], published: Published, console: Console, remedy: str
) -> tuple[int, int | None, str]:
    """Open the address and copy the answer, as `_copy` does; WeightsError where address or connection fails."""
    try:
        with build_opener(_SafeRedirects).open(request, timeout=SILENCE_S) as answer:
            return _copy(answer, file, published, console)
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, HTTPError):
            error.close()  # it is the answer too, with its connection
        raise WeightsError(f"{published}: {published.url} cannot be fetched: {_reason(error)}; {remedy}") from None


def _copy(answer: IO[bytes], file: IO[bytes], published: Published, console: Console) -> tuple[int, int | None, str]:
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


def _write(file: IO[bytes], piece: bytes, published: Published, *, flush: bool = False) -> None:
    """Write a piece, with an error of its own, so that a full disk is not taken for a bad connection."""
    try:
        file.write(piece)
        if flush:
            file.flush()
    except OSError as error:
        raise rundir.unwritable(place(published).parent, error) from None


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


def _require(digest: str, published: Published, what: str) -> None:
    """Raise WeightsError where the sum of a file is not the one that its name carries."""
    if not digest.startswith(published.sha256):
        start = digest[: len(published.sha256)]
        raise WeightsError(f"{published}: wrong checksum, SHA-256 {start}... and not {published.sha256}..., of {what}")


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise WeightsError(f"{path}: not a regular file")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from None


def _made_from(kept: Path, published: Published) -> bool:
    """Whether the kept file is whole and was made from the published one."""
    if not kept.is_file():
        return False
    with suppress(OSError, SafetensorError), safe_open(kept, "pt") as file:
        about = file.metadata() or {}
        return bool(re.fullmatch(r"[0-9a-f]{64}", about.get("sha256", ""))) and about["sha256"].startswith(
            published.sha256
        )
    return False


def _tell(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True, markup=False, emoji=False)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.new")


def _remove(draft: Path) -> None:
    with suppress(OSError):  # it may not be there, nor the folder
        draft.unlink()
