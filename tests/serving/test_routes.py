"""What the routes answer, asked without sockets."""

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving.client import FP32, Client, encoded, error_of, picture

from resvision.prediction.predictions import results_of
from resvision.runtime.bundle import open_bundle
from resvision.serving.limits import Limits

PREDICT, INFER = "/v1/models/digits:predict", "/v2/models/digits/infer"
IMAGE = {"content-type": "image/png"}


def base64(content: bytes) -> str:
    return b64encode(content).decode()


def inference(**tensor: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [base64(picture())], **tensor}]}


def test_every_form_of_a_body_gets_what_predict_gives(client: Client, digits: Path, tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(picture(1))
    (expected,) = results_of(open_bundle(digits, FP32), tmp_path / "one.png", top=5)
    bodies: list[dict[str, Any]] = [
        {"content": picture(1), "headers": IMAGE},
        {"content": picture(1)},
        {"content": picture(1), "headers": {"content-type": "application/x-www-form-urlencoded"}},  # curl --data-binary
        {"files": {"image": ("one.png", picture(1))}},
        {"json": {"instances": [{"b64": base64(picture(1))}]}},
    ]
    for body in bodies:
        answer = client("POST", PREDICT, **body)
        assert answer.status_code == 200, answer.text
        (prediction,) = answer.json()["predictions"]
        assert [row["label"] for row in prediction["classes"]] == [*expected.labels]
        assert [row["score"] for row in prediction["classes"]] == pytest.approx(expected.scores, abs=1e-5)
        assert {*answer.json()["timing_ms"]} == {"queue", "decode", "infer", "post"}
        assert "infer;dur=" in answer.headers["server-timing"]


def test_options_that_change_nothing_change_nothing(client: Client) -> None:
    """Requests without options go past FastAPI's own steps."""
    plain, optioned = (client("POST", PREDICT + query, content=picture(1)) for query in ("", "?grey=false"))
    assert plain.json()["predictions"] == optioned.json()["predictions"]
    assert {*plain.headers} == {*optioned.headers}


def test_several_images_are_answered_in_their_order(client: Client) -> None:
    alone = [client("POST", PREDICT, content=picture(seed)).json()["predictions"][0]["score"] for seed in range(3)]
    parts = [("image", (f"{seed}.png", picture(seed))) for seed in range(3)]
    form = client("POST", PREDICT, files=parts).json()["predictions"]
    instances = [{"b64": base64(picture(seed)), "name": f"{seed}.png"} for seed in range(3)]
    document = client("POST", PREDICT, json={"instances": instances}).json()["predictions"]
    for predictions in (form, document):
        assert [prediction["source"] for prediction in predictions] == ["0.png", "1.png", "2.png"]
        assert [prediction["score"] for prediction in predictions] == pytest.approx(alone, abs=1e-5)


def test_the_inference_protocol_takes_files_and_pixels(client: Client) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), dtype=np.uint8)
    files = {"shape": [2], "data": [base64(encoded(one[:, :, 0])) for one in pixels]}
    flat = {"name": "pixels", "datatype": "UINT8", "shape": [2, 16, 16, 1], "data": pixels.ravel().tolist()}
    nested = {**flat, "data": pixels.tolist()}
    scores = []
    for tensor in (files, flat, nested):
        answer = client("POST", INFER, json={"id": "seven", "parameters": {"top": 1}, **inference(**tensor)})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["id"], body["model_name"], body["model_version"]) == (
            "seven",
            "digits",
            client.service.models["digits"].version,
        )
        (output,) = body["outputs"]
        assert (output["name"], output["datatype"], output["shape"]) == ("result", "BYTES", [2])
        results = [json.loads(text) for text in output["data"]]
        assert all(len(result["classes"]) == 1 for result in results)
        scores.append([result["score"] for result in results])
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert scores[1] == pytest.approx(scores[2], abs=1e-5)


def test_metadata_name_the_tensors_that_are_taken(client: Client) -> None:
    body = client("GET", "/v2/models/digits").json()
    assert [(row["name"], row["datatype"], row["shape"]) for row in body["inputs"]] == [
        ("image", "BYTES", [-1]),
        ("pixels", "UINT8", [-1, 16, 16, 1]),
    ]
    assert client("GET", "/v2").json()["name"] == "resvision"
    card = client("GET", "/v1/models/digits").json()
    assert (card["task"], card["net"], card["data"], len(card["classes"])) == (
        "classification",
        "resnet20",
        "digits",
        10,
    )
    assert card["engine"].startswith("OpenVINO")
    assert client("GET", "/v1/models").json() == {"models": ["digits"]}


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/v2/models/digits/ready"]
)
def test_a_warm_server_is_alive_and_ready(client: Client, path: str) -> None:
    assert client("GET", path).status_code == 200


def test_a_server_is_not_ready_before_its_first_inference(clients: Callable[..., Client], digits: Path) -> None:
    client = clients({"digits": digits})
    client.service.models["digits"].current = None
    for path in ("/readyz", "/v2/health/ready", "/v2/models/digits/ready", "/v2/models/digits"):
        answer = client("GET", path)
        assert answer.status_code == 503
        assert "not ready" in error_of(answer) or "being loaded" in error_of(answer)
    assert client("GET", "/healthz").status_code == 200
    answer = client("POST", PREDICT, content=picture())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert client("GET", "/v1/models/digits").json()["ready"] is False


def test_a_server_that_stops_takes_nothing_more(clients: Callable[..., Client], digits: Path) -> None:
    client = clients({"digits": digits})
    client.service.stopping = True
    assert [client("POST", PREDICT, content=picture()).status_code, client("GET", "/readyz").status_code] == [503, 503]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ({"content": b""}, 422, "an empty file"),
        ({"content": b"no image"}, 422, "not an image"),
        ({"content": picture()[:100]}, 422, "a damaged PNG"),
        ({"content": b"GIF89a" + bytes(20)}, 422, "a GIF"),
        ({"content": b"P5 60000 60000 255 "}, 413, "60,000 x 60,000 pixels"),
        ({"content": picture(), "headers": {"content-type": "text/html"}}, 415, "text/html"),
        ({"content": picture(shape=(9, 9, 3))}, 422, "`?grey` converts"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "no JSON"),
        ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400, "no JSON"),
        ({"content": b"[" * 99 + b"]" * 99, "headers": {"content-type": "application/json"}}, 400, "deeper than 64"),
        ({"json": {"instances": []}}, 422, "no file"),
        ({"json": {"instances": [{"b64": "%%"}]}}, 422, "no base64"),
        ({"json": {"instances": [{"b64": 3}]}}, 422, "another form"),
        ({"json": {"images": []}}, 422, "another form"),
        ({"files": {"note": (None, "words")}}, 422, "no file"),
        ({"content": b"--x\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400, "cut off"),
        ({"content": b"", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400, "first boundary"),
        ({"content": b"", "headers": {"content-type": "multipart/form-data"}}, 400, "without a boundary"),
        ({"content": picture(), "params": {"top": "0"}}, 422, "?top: "),
        ({"content": picture(), "params": {"top": "nine"}}, 422, "?top: "),
        ({"content": picture(), "params": {"score": "0.5"}}, 422, "?score"),
        ({"content": picture(), "params": {"most": "3"}}, 422, "?most: runs of classification have no use for it"),
        ({"content": picture(), "params": {"only": "one"}}, 422, "?only"),
    ],
)
def test_bad_requests_get_a_line(client: Client, words: dict[str, Any], status: int, said: str) -> None:
    answer = client("POST", PREDICT, **words)
    assert (answer.status_code, said in error_of(answer)) == (status, True), answer.text
    assert client("POST", PREDICT, content=picture()).status_code == 200


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        ({"name": "sound"}, "no input 'sound'"),
        ({"datatype": "FP32"}, "must be BYTES"),
        ({"shape": [1, 1]}, "must be BYTES of shape [-1]"),
        ({"shape": [2]}, "2 texts of base64"),
        ({"data": ["?"]}, "no base64"),
        ({"data": [1]}, "texts of base64"),
        ({"shape": [0]}, "another form"),
        ({"name": "pixels", "datatype": "UINT8", "shape": [1, 9, 9, 1], "data": []}, "must be UINT8"),
        ({"name": "pixels", "datatype": "UINT8", "shape": [1, 16, 16, 1], "data": [1, 2]}, "whole numbers"),
        ({"name": "pixels", "datatype": "UINT8", "shape": [1, 16, 16, 1], "data": [[1], [2, 3]]}, "whole numbers"),
        ({"name": "pixels", "datatype": "UINT8", "shape": [1, 16, 16, 1], "data": [256] * 256}, "0..255"),
        ({"name": "pixels", "datatype": "UINT8", "shape": [1, 16, 16, 1], "data": [0.5] * 256}, "whole numbers"),
        ({"name": "pixels", "datatype": "UINT8", "shape": [1, 16, 16, 1], "data": [2**70] * 256}, "whole numbers"),
    ],
)
def test_tensors_that_are_not_taken_get_a_line(client: Client, tensor: dict[str, Any], said: str) -> None:
    answer = client("POST", INFER, json=inference(**tensor))
    assert (answer.status_code, said in error_of(answer)) == (422, True), answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/v1/models/cats:predict", 404),
        ("GET", "/v1/models/cats", 404),
        ("POST", "/v2/models/cats/infer", 404),
        ("GET", PREDICT, 405),
        ("DELETE", "/v1/models", 405),
    ],
)
def test_addresses_that_there_are_not_get_a_line(client: Client, method: str, path: str, status: int) -> None:
    answer = client(method, path)
    assert answer.status_code == status
    assert error_of(answer)


def test_limits_are_said_with_their_number(clients: Callable[..., Client], digits: Path) -> None:
    limits = Limits(body_bytes=2000, pixels=400, images=2, formats=("PNG",))
    client = clients({"digits": digits}, limits)
    large, wide = picture(shape=(60, 60)), encoded(np.zeros((40, 40), dtype=np.uint8))
    several = [("image", ("one.png", picture()))] * 3
    answers = {
        "2,000 bytes": client("POST", PREDICT, content=large),
        "40 x 40 pixels, above the limit of 400": client("POST", PREDICT, content=wide),
        "3 parts": client("POST", PREDICT, files=several),
        "limit of 2": client("POST", PREDICT, json={"instances": [{"b64": "AA=="}] * 3}),
    }
    answers["more than 2 parts"] = answers.pop("3 parts")
    for said, answer in answers.items():
        assert (answer.status_code, said in error_of(answer)) == (413, True), answer.text
    answer = client("POST", PREDICT, content=picture(form="BMP"))
    assert (answer.status_code, "format BMP" in error_of(answer)) == (415, True)


def test_budgets_of_all_requests_are_kept_and_given_back(clients: Callable[..., Client], digits: Path) -> None:
    client = clients({"digits": digits}, Limits(queue=2, held_bytes=3000, held_pixels=1000))
    cases = {
        "2 images at a time": {"files": [("image", ("one.png", picture()))] * 3},
        "3,000 bytes at a time": {"content": bytes(4000)},
        "1,000 pixels at a time": {"content": encoded(np.zeros((40, 40), dtype=np.uint8))},
    }
    for said, words in cases.items():
        answer = client("POST", PREDICT, **words)
        assert (answer.status_code, answer.headers["retry-after"], said in error_of(answer)) == (503, "1", True)
    assert client("POST", PREDICT, content=picture()).status_code == 200
    assert client.service.answering.waiting.taken == client.service.held.taken == 0


def test_an_answer_that_takes_too_long_is_given_up(clients: Callable[..., Client], digits: Path) -> None:
    client = clients({"digits": digits}, Limits(answer_seconds=1e-6))
    answer = client("POST", PREDICT, content=picture())
    assert (answer.status_code, "no answer within" in error_of(answer)) == (503, True)


def test_a_fault_of_ours_is_a_line_and_no_traceback(
    clients: Callable[..., Client], digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = clients({"digits": digits})
    monkeypatch.setattr("resvision.serving.answering.seen_by", lambda *_, **__: 1 / 0)
    answer = client("POST", PREDICT, content=picture())
    assert (answer.status_code, "ZeroDivisionError" in error_of(answer)) == (500, True)


def test_label_maps_come_with_their_pictures_where_they_are_asked_for(
    clients: Callable[..., Client], squares_net: Path
) -> None:
    client = clients({"squares": squares_net})
    photo = picture(shape=(40, 56, 3))
    (plain,) = client("POST", "/v1/models/squares:predict", content=photo).json()["predictions"]
    (shown,) = client("POST", "/v1/models/squares:predict?pictures=true", content=photo).json()["predictions"]
    names = [one["name"] for one in shown.pop("pictures")]
    assert (names, shown) == (["image.png", "image-overlay.png"], plain)


def test_sixteen_clients_get_their_own_answers(client: Client) -> None:
    alone = [client("POST", PREDICT, content=picture(seed)).json()["predictions"][0] for seed in range(16)]
    together = client.together(*(("POST", PREDICT, {"content": picture(seed)}) for seed in range(16)))
    for expected, answer in zip(alone, together, strict=True):
        (prediction,) = answer.json()["predictions"]
        assert prediction["label"] == expected["label"]
        assert prediction["score"] == pytest.approx(expected["score"], abs=1e-5)


def test_metrics_count_answers_and_times(clients: Callable[..., Client], digits: Path) -> None:
    client = clients({"digits": digits})
    client("POST", PREDICT, content=picture())
    client("POST", PREDICT, content=b"no")
    client("POST", "/v1/models/cats:predict", content=picture())
    answer = client("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'resvision_answers_total{model="digits",status="200"} 1' in lines
    assert 'resvision_answers_total{model="digits",status="422"} 1' in lines
    assert 'resvision_answers_total{model="",status="404"} 1' in lines
    for stage in ("queue", "decode", "infer", "post"):
        assert f'resvision_{stage}_seconds_count{{model="digits"}} 1' in lines
        assert f'resvision_{stage}_seconds_bucket{{model="digits",le="+Inf"}} 1' in lines
    memory = next(line for line in lines if line.startswith("process_resident_memory_bytes "))
    assert float(memory.split()[1]) > 1e7


def test_every_answer_has_safe_headers(client: Client) -> None:
    for path in ("/", "/page.js", "/healthz", "/nothing", "/openapi.json"):
        headers = client("GET", path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_a_foreign_name_of_the_host_is_refused(clients: Callable[..., Client], digits: Path) -> None:
    client = clients({"digits": digits}, hosts=frozenset({"localhost", "::1"}))
    for host, status in {
        "localhost:8000": 200,
        "[::1]:8000": 200,
        "LOCALHOST": 200,
        "evil.example": 400,
        "": 400,
    }.items():
        assert client("GET", "/healthz", headers={"host": host}).status_code == status, host


def test_a_long_header_is_refused_in_whatever_pieces_it_came(client: Client) -> None:
    answer = client("GET", "/healthz", headers={f"x{number}": "y" * 100 for number in range(200)})
    assert answer.status_code == 400
    assert "longer than 16 kB" in error_of(answer)
    assert client("GET", "/healthz", headers={f"x{number}": "y" * 100 for number in range(20)}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://localhost"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://proxied.example", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "https://friend.example"}, 200),
    ],
)
def test_pages_of_other_origins_may_not_send(
    clients: Callable[..., Client], digits: Path, headers: dict[str, str], status: int
) -> None:
    client = clients({"digits": digits}, origins=("https://friend.example",))
    answer = client("POST", PREDICT, content=picture(), headers=headers)
    assert answer.status_code == status
    is_friend = headers.get("origin") == "https://friend.example"
    assert ("access-control-allow-origin" in answer.headers) == is_friend


def test_the_document_names_every_status_that_a_route_may_give(client: Client) -> None:
    paths = client("GET", "/openapi.json").json()["paths"]
    assert {*paths["/v1/models/{name}:predict"]["post"]["responses"]} == {
        "200", "400", "403", "404", "408", "413", "415", "422", "500", "503",
    }  # fmt: skip
    assert {*paths["/readyz"]["get"]["responses"]} == {"200", "400", "403", "500", "503"}
    (name,) = paths["/v1/models/{name}"]["get"]["parameters"]
    assert name["schema"]["enum"] == ["digits"]
    assert "/" not in paths


@pytest.mark.parametrize(("path", "method"), [(PREDICT, "POST"), ("/v1/models/digits", "GET"), (INFER, "POST")])
def test_an_address_says_which_method_it_takes(client: Client, path: str, method: str) -> None:
    for other in ("DELETE", "OPTIONS", "POST" if method == "GET" else "GET"):
        answer = client(other, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, method)
