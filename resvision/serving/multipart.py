"""Forms of several parts, as browsers send files: RFC 7578, of which the file parts are read."""

from email.message import Message
from email.parser import HeaderParser
from typing import NamedTuple

from resvision.serving.refused_requests import RefusedRequest

LONGEST_HEADER = 8192
"""Bytes of the header of a part."""


class Part(NamedTuple):
    """One file of a form: its name as it was sent, "" where it has none, and its content."""

    name: str
    content: bytes


def file_parts(content_type: str, body: bytes, *, most: int) -> list[Part]:
    """The parts of a form that are files, or say that they are images.

    Raises RefusedRequest: 400 for a form that is damaged or cut off, 413 for more than `most` parts.
    """
    boundary = _header(f"Content-Type: {content_type}").get_boundary()
    if not boundary or not boundary.isascii():
        raise RefusedRequest(400, "multipart/form-data without a boundary; let your HTTP library write the header")
    line = b"--" + boundary.encode()
    start = 0 if body.startswith(line) else body.find(b"\r\n" + line) + 2
    if start < 2 and not body.startswith(line):
        raise RefusedRequest(400, "a multipart body without its first boundary")
    parts: list[Part] = []
    for _ in range(most + 1):
        start += len(line)
        if body.startswith(b"--", start):
            return parts
        end = body.find(b"\r\n" + line, start)
        if end < 0:
            raise RefusedRequest(400, "a multipart body that is cut off: its last boundary is missing")
        part = _part(body, start, end)
        if part is not None:
            parts.append(part)
        start = end + 2
    raise RefusedRequest(413, f"a multipart body of more than {most:,} parts, which is the limit here")


def _part(body: bytes, start: int, end: int) -> Part | None:
    """The part behind a boundary that ends at `start`; None for a field that is no file."""
    begin = body.find(b"\r\n\r\n", start, min(end, start + LONGEST_HEADER))
    if begin < 0:
        raise RefusedRequest(400, f"a part of a multipart body without a header of at most {LONGEST_HEADER:,} bytes")
    header = _header(body[start:begin].decode("utf-8", "replace").lstrip("\r\n"))
    name = header.get_filename()
    if name is None and header.get_content_maintype() != "image":
        return None
    return Part(name or "", body[begin + 4 : end])


def _header(text: str) -> Message:
    return HeaderParser().parsestr(text)
