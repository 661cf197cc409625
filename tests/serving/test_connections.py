"""Clients that send slowly, wrongly, without end, or nothing: each gets an answer or is closed, and others go on."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from socket import SHUT_WR, socket

import pytest
from serving.client import picture
from serving.running import Running, running

HEAD = "POST /v1/models/digits:predict HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def server(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    limits = ("header_seconds=1", "body_seconds=2", "connections=20", "body_bytes=100000")
    words = [word for limit in limits for word in ("--limit", limit)]
    with running(digits, *words, cache=tmp_path_factory.mktemp("cache")) as started:
        yield started


@pytest.fixture(autouse=True)
def _still_answers(server: Running) -> Iterator[None]:
    yield
    assert server.predict(picture()).status_code == 200
    assert server.process.poll() is None


def answer(connection: socket) -> str:
    """All that a server sends until it closes the connection, or the first answer."""
    received = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(4096):
            received += chunk
            if b"\r\n\r\n" in received and received.endswith(b"}"):
                break
    return received.decode()


def test_a_connection_that_says_nothing_is_closed(server: Running) -> None:
    with server.connect() as connection:
        assert answer(connection) == ""


def test_half_a_header_is_waited_for_only_so_long(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: local")
        assert answer(connection).startswith("HTTP/1.1 408 ")


def test_half_a_second_header_on_a_kept_connection_is_too(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer(connection).startswith("HTTP/1.1 200 ")
        connection.sendall(b"GET / HT")
        assert answer(connection).startswith("HTTP/1.1 408 ")


def test_a_slow_body_is_waited_for_only_so_long(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(f"{HEAD}Content-Length: 1000\r\n\r\n".encode())
        begun = time.monotonic()
        with suppress(OSError):
            while time.monotonic() - begun < 3:
                connection.sendall(b"x")
                time.sleep(0.25)
        assert answer(connection).startswith("HTTP/1.1 408 ")


def test_a_gigabyte_is_refused_before_it_is_sent(server: Running) -> None:
    with server.connect() as connection:
        connection.sendall(f"{HEAD}Content-Length: {2**30}\r\n\r\n".encode())
        assert answer(connection).startswith("HTTP/1.1 413 ")


def test_chunks_without_end_are_refused_at_the_limit_and_then_closed(server: Running) -> None:
    chunk = b"4000\r\n" + bytes(0x4000) + b"\r\n"
    with server.connect() as connection:
        connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        sent, begun = 0, time.monotonic()
        with suppress(OSError):  # a broken pipe or a reset, as the system likes
            while time.monotonic() - begun < 30:
                connection.sendall(chunk)
                sent += 1
                time.sleep(0.005)
    assert sent > 6
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: -1\r\n",
        "Content-Length: 10\r\nContent-Length: 11\r\n",
        "Content-Length: ten\r\n",
        f"X: {'x' * 400_000}\r\n",
        "no header\r\n",
    ],
)
def test_what_is_no_http_is_told_so(server: Running, head: str) -> None:
    with server.connect() as connection:
        connection.sendall(f"{HEAD}{head}\r\n".encode())
        said = answer(connection)
    assert said.startswith("HTTP/1.1 400 ")
    assert said.endswith("}")


def test_more_bytes_than_were_told_are_no_second_request(server: Running) -> None:
    content = picture()
    with server.connect() as connection:
        connection.sendall(f"{HEAD}Content-Length: {len(content) // 2}\r\n\r\n".encode() + content)
        said = connection.makefile("rb").read().decode()
    first, second = re.findall(r"HTTP/1\.1 (\d+) ", said)
    assert first == "422"
    assert second in ("400", "408")  # the rest of a file has a line's end, or not


def test_a_body_that_ends_early_is_no_image(server: Running) -> None:
    content = picture()
    with server.connect() as connection:
        connection.sendall(f"{HEAD}Content-Length: {len(content) + 9}\r\n\r\n".encode() + content)
        connection.shutdown(SHUT_WR)
        assert answer(connection).startswith(("HTTP/1.1 400 ", ""))


def test_a_hundred_silent_connections_are_limited_and_make_room_again(server: Running) -> None:
    silent = [server.connect() for _ in range(100)]
    try:
        said = [answer(connection) for connection in silent]
    finally:
        for connection in silent:
            connection.close()
    refused = [text for text in said if text]
    assert len(refused) >= 80
    assert all(text.startswith("HTTP/1.1 503 ") and "Retry-After: 1" in text for text in refused)
