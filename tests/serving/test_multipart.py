"""Forms of several parts, those that a library writes and those that are damaged."""

import httpx
import pytest

from resvision.serving.multipart import file_parts
from resvision.serving.refused_requests import RefusedRequest

TYPE = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\nbytes\r\n'


def test_files_of_a_form_come_with_their_names_and_fields_are_left_out() -> None:
    contents = {"a.png": b"\r\n--\r\n\x00 bytes \r\n", "사진.png": b"", 'q"uote.png': b"--"}
    request = httpx.Request(
        "POST", "http://localhost", data={"note": "text"}, files=[("image", one) for one in contents.items()]
    )
    parts = file_parts(request.headers["content-type"], request.read(), most=9)
    assert [part.content for part in parts] == [*contents.values()]
    assert [part.name for part in parts][:2] == ["a.png", "사진.png"]


def test_a_part_that_says_it_is_an_image_needs_no_name() -> None:
    body = b"before it\r\n--x\r\nContent-Type: image/png\r\n\r\nbytes\r\n--x--\r\n"
    assert [tuple(part) for part in file_parts(TYPE, body, most=1)] == [("", b"bytes")]


@pytest.mark.parametrize(
    ("content_type", "body", "status", "said"),
    [
        ("multipart/form-data", PART + b"--x--", 400, "without a boundary"),
        (TYPE, b"", 400, "without its first boundary"),
        (TYPE, b"--y\r\n\r\n", 400, "without its first boundary"),
        (TYPE, PART, 400, "cut off"),
        (TYPE, PART[:-3], 400, "cut off"),
        (TYPE, b"--x\r\nno header\r\n--x--", 400, "without a header"),
        (TYPE, b"--x\r\n" + b"y" * 9000 + b"\r\n\r\nbytes\r\n--x--", 400, "without a header"),
        (TYPE, PART * 4 + b"--x--", 413, "more than 3 parts"),
    ],
)
def test_damaged_forms_get_a_line(content_type: str, body: bytes, status: int, said: str) -> None:
    with pytest.raises(RefusedRequest, match=said) as caught:
        file_parts(content_type, body, most=3)
    assert caught.value.status == status


def test_every_cut_of_a_form_is_refused() -> None:
    body = PART * 2 + b"--x--"
    for length in range(len(body)):
        with pytest.raises(RefusedRequest):
            file_parts(TYPE, body[:length], most=3)
