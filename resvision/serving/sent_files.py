"""The files that a request holds: an image as its body, parts of a form, or base64 in JSON."""

import binascii
from base64 import b64decode
from pathlib import PurePath
from typing import Any, NamedTuple, TypeVar

import msgspec

from resvision.core import files
from resvision.core.errors import printable
from resvision.serving.multipart import file_parts
from resvision.serving.refused_requests import RefusedRequest

JSON, FORM = "application/json", "multipart/form-data"
PLAIN = ("application/octet-stream", "application/x-www-form-urlencoded", "")
"""Types of a body that is the file itself; the second is what `curl --data-binary` says of any file."""
LONGEST_NAME = 200
"""Letters of a file's name that are kept, of its end."""

Form = TypeVar("Form")


class SentFile(NamedTuple):
    """An encoded image, or another file that a task reads: its name for results and errors, and its content."""

    name: str
    content: bytes


class Instance(msgspec.Struct, forbid_unknown_fields=True):
    """One file in a JSON body: base64, and its name."""

    b64: str
    name: str = ""


class Instances(msgspec.Struct, forbid_unknown_fields=True):
    """A JSON body."""

    instances: list[Instance]


def sent_files(content_type: str, body: bytes, *, most: int) -> list[SentFile]:
    """The files of a body.

    content_type  the header as it was sent, "" where it was not
    most          files that one request may hold

    Raises RefusedRequest: 400 for a body that is damaged, 413 for more files than `most`, 415 for another type of
    content, 422 for a body without a file.
    """
    kind = kind_of_content(content_type)
    if kind == JSON:
        sent = json_as(Instances, body).instances
        parts = [(one.name or f"image {position}", one.b64) for position, one in enumerate(sent)]
        require_few(len(parts), most)
        found = [SentFile(plain_name(name), decoded_base64(text, name=name)) for name, text in parts]
    elif kind == FORM:
        named = enumerate(file_parts(content_type, body, most=most))
        found = [SentFile(plain_name(part.name or f"image {position}"), part.content) for position, part in named]
    elif is_file(kind):
        found = [SentFile("image", body)]
    else:
        raise RefusedRequest(
            415, f"a body of the type {printable(kind)}; send an image (image/*), {FORM}, or {JSON} with base64"
        )
    if not found:
        raise RefusedRequest(422, "the request holds no file")
    if empty := next((file.name for file in found if not file.content), None):
        raise RefusedRequest(422, f"{empty}: an empty file (0 bytes)")
    return found


def kind_of_content(content_type: str) -> str:
    """The type of a body by its header, without parameters."""
    return content_type.partition(";")[0].strip().casefold()


def is_file(kind: str) -> bool:
    """Whether a body of this type is the file itself."""
    return kind in PLAIN or kind.startswith("image/")


def json_as(form: type[Form], body: bytes) -> Form:
    """The JSON document in a body, in the form of a type.

    Raises RefusedRequest: 400 where it is no JSON, or nested too deeply, 422 where it has another form.
    """
    try:
        data: Any = files.parse_json(body)
    except ValueError as error:  # also of bytes that are no text
        raise RefusedRequest(400, f"the body is no JSON document: {printable(str(error))}") from None
    try:
        return msgspec.convert(data, form)
    except msgspec.ValidationError as error:
        raise RefusedRequest(422, f"the JSON body has another form: {printable(str(error))}") from None


def decoded_base64(text: str, *, name: str) -> bytes:
    """The bytes that a text holds in base64; RefusedRequest (422), with the name, where it is none."""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedRequest(422, f"{plain_name(name)}: no base64") from None


def plain_name(name: str) -> str:
    """A sent name without folders, on one line, and not too long."""
    return printable(PurePath(name.replace("\\", "/")).name)[-LONGEST_NAME:] or "image"


def require_few(number: int, most: int) -> None:
    """Raise RefusedRequest (413) for more files than one request may hold."""
    if number > most:
        raise RefusedRequest(413, f"{number:,} images or samples in one request, above the limit of {most:,}")
