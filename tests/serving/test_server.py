"""A server as a process: it starts, replaces its bundles, and stops without losing an answer."""

import shutil
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from serving.client import picture
from serving.running import running

from resvision.runtime.bundle_format import BUNDLE, read_manifest, write_manifest
from resvision.serving.server import Listening, _socket

Cli = Callable[..., tuple[int, str, str]]


def rename_classes(folder: Path, prefix: str) -> None:
    """Make another bundle of one, which says other names."""
    manifest = read_manifest(folder)
    draft = folder.parent / "draft"
    draft.mkdir()
    write_manifest(replace(manifest, classes=tuple(f"{prefix}{name[-1]}" for name in manifest.classes)), draft)
    (draft / BUNDLE).rename(folder / BUNDLE)


def test_a_bundle_is_replaced_without_a_stop_and_a_damaged_one_is_left(digits: Path, tmp_path: Path) -> None:
    place = shutil.copytree(digits, tmp_path / "digits")
    with running(place, f"other={digits}", cache=tmp_path / "cache") as server:
        first = server.predict(picture()).json()["predictions"][0]["label"]
        rename_classes(place, "new ")
        server.signal(signal.SIGHUP)
        server.said("digits: replaced by version")
        assert server.predict(picture()).json()["predictions"][0]["label"] == f"new {first}"
        assert server.predict(picture(), "other").json()["predictions"][0]["label"] == first

        content = bytearray((place / "graph.onnx").read_bytes())
        content[len(content) // 2] ^= 1
        (place / "graph.onnx").write_bytes(content)
        server.signal(signal.SIGHUP)
        assert "was changed since the bundle was made" in server.said("digits: the bundle that was there goes on")
        assert server.predict(picture()).json()["predictions"][0]["label"] == f"new {first}"


def test_a_stop_loses_no_request_that_has_begun(digits: Path, tmp_path: Path) -> None:
    with running(digits, cache=tmp_path / "cache") as server:
        content = picture()
        head = f"POST /v1/models/digits:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n"
        begun = [server.connect() for _ in range(8)]
        for connection in begun:
            connection.sendall(head.encode() + content[:20])
        with server.connect() as idle:
            server.predict(content)  # whose answer says that the heads before it were read
            server.signal(signal.SIGTERM)
            assert idle.recv(10) == b""  # it is closed once the server no longer listens
        with pytest.raises(ConnectionError):
            server.connect()
        answers = []
        for connection in begun:
            connection.sendall(content[20:])
            answers.append(connection.makefile("rb").readline())
            connection.close()
        assert answers == [b"HTTP/1.1 200 OK\r\n"] * 8
        assert server.process.wait(20) == 0
    assert not [line for line in server.lines if "Traceback" in line]


def test_nothing_is_reported_to_where_the_environment_says(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as collector:
        collector.settimeout(0.5)
        monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.getsockname()[1]}")
        with running(digits, cache=tmp_path / "cache") as server:
            assert server.predict(picture()).status_code == 200
        with pytest.raises(TimeoutError):
            collector.accept()
    assert not [line for line in server.lines if "telemetry" in line]  # it would say that an exporter is missing


def test_a_bundle_that_cannot_be_opened_is_told_before_it_listens(cli: Cli, digits: Path, tmp_path: Path) -> None:
    place = shutil.copytree(digits, tmp_path / "digits")
    (place / "graph.onnx").write_bytes(b"none")
    code, _, err = cli("serve", place, "--port", "0")
    assert (code, err.count("\n")) == (2, 1)
    assert "was changed since" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing-there",), "unknown bundle 'nothing-there'"),
        (("{digits}", "{digits}"), "a second model 'digits'"),
        (("{digits}", "--limit", "queue=0"), "--limit queue=0: must be above 0"),
        (("{digits}", "--limit", "queue=many"), "expected a number"),
        (("{digits}", "--limit", "que=1"), "nearest: queue"),
        (("{digits}", "--limit", "formats=png,gif"), "choices are JPEG, PNG"),
        (("{digits}", "--engine", "magic"), "choices are openvino, onnxruntime"),
        (("{digits}", "--host", "203.0.113.1"), "cannot listen there"),
    ],
)
def test_words_that_cannot_be_served_are_one_line(cli: Cli, digits: Path, words: tuple[str, ...], said: str) -> None:
    code, _, err = cli("serve", *(word.format(digits=digits) for word in words))
    assert (code, err.count("\n")) == (2, 1)
    assert said in err


def test_a_port_that_is_taken_is_told(cli: Cli, digits: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, err = cli("serve", digits, "--port", taken.getsockname()[1])
    assert (code, "cannot listen there (Address already in use)" in err) == (2, True)


def test_answers_are_sent_at_once() -> None:
    with _socket(Listening(port=0)) as opened, socket.create_connection(opened.getsockname()[:2]):
        accepted, _ = opened.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    ("listening", "hosts"),
    [
        (Listening(), {"localhost", "127.0.0.1", "::1"}),
        (Listening(hosts=("Site.example",)), {"localhost", "127.0.0.1", "::1", "site.example"}),
        (Listening(host="0.0.0.0"), None),  # noqa: S104 - nothing listens
        (Listening(host="0.0.0.0", hosts=("site.example",)), {"localhost", "127.0.0.1", "::1", "site.example"}),  # noqa: S104
    ],
)
def test_names_are_compared_on_a_loopback_address_and_where_they_are_given(
    listening: Listening, hosts: set[str] | None
) -> None:
    assert listening.allowed_hosts == hosts
