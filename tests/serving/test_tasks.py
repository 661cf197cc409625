"""Bundles of every task give over HTTP, by each protocol, what `predict BUNDLE --json` prints."""

import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.tracks.written import csv, driven
from serving.client import FP32, Client, encoded, error_of, picture

from resvision.export.bundles import write_bundle
from resvision.inference.load import load
from resvision.launch import Finished
from resvision.prediction.predictions import results_of
from resvision.runtime.bundle import open_bundle

Asked = tuple[Client, Path, list[Path]]

RUNS = {"digits": "finished", "squares": "segmented", "boxes": "detected", "traffic": "forecast"}


def file_of(name: str, folder: Path, seed: int) -> Path:
    """A file that a net of this name is asked about: three cars on a road, or an image of a size of its own."""
    draws = np.random.default_rng(seed)
    if name == "traffic":
        cars = {f"car{number}": driven(seed * 3 + number, 60, y=4.0 * number) for number in range(3)}
        return csv(folder / f"{seed}.csv", {"road": cars})
    shape = {"digits": (16, 16), "squares": (40, 48, 3), "boxes": (64, 80)}[name]
    path = folder / f"{seed}.png"
    path.write_bytes(encoded(draws.integers(0, 256, shape, dtype=np.uint8)))
    return path


@pytest.fixture(scope="module", params=[*RUNS])
def asked(
    request: pytest.FixtureRequest, clients: Callable[..., Client], tmp_path_factory: pytest.TempPathFactory
) -> Asked:
    """A client of a task's net, its bundle, and two files to ask about."""
    name = request.param
    run: Finished = request.getfixturevalue(RUNS[name])
    folder = tmp_path_factory.mktemp("tasks") / name
    write_bundle(load(run.folder), folder, reader=None, settings=FP32)
    return clients({name: folder}), folder, [file_of(name, folder.parent, seed) for seed in range(2)]


def close(one: Any, other: Any) -> None:
    """Hold two documents against each other, of equal form, whose numbers may differ in the last digits."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = [*one.values()], [*other.values()]
    if isinstance(one, list):
        assert len(one) == len(other)
        for mine, theirs in zip(one, other, strict=True):
            close(mine, theirs)
    else:
        assert one == (pytest.approx(other, rel=1e-4, abs=1e-4) if isinstance(one, float) else other)


def printed(bundle: Path, files: list[Path]) -> list[dict[str, Any]]:
    """What `predict` gives, with the file's name as the source, as a server has it, which knows no folders."""
    opened = open_bundle(bundle, FP32)
    results = [result for file in files for result in results_of(opened, file)]
    documents = [
        json.loads(json.dumps(opened.kind.limited(result, opened.kind.usual_top).to_json())) for result in results
    ]
    return [{**document, "source": Path(document["source"]).name} for document in documents]


def base64(file: Path) -> str:
    return b64encode(file.read_bytes()).decode()


def test_forms_and_documents_get_what_predict_prints(asked: Asked) -> None:
    client, bundle, files = asked
    expected = printed(bundle, files)
    parts = [("image", (file.name, file.read_bytes())) for file in files]
    instances = [{"b64": base64(file), "name": file.name} for file in files]
    for body in ({"files": parts}, {"json": {"instances": instances}}):
        answer = client("POST", f"/v1/models/{bundle.name}:predict", **body)
        assert answer.status_code == 200, answer.text
        close(answer.json()["predictions"], expected)


def test_the_inference_protocol_gives_what_predict_prints(asked: Asked) -> None:
    client, bundle, files = asked
    data, names = [base64(file) for file in files], [file.name for file in files]
    tensor = {"name": "image", "datatype": "BYTES", "shape": [2], "data": data, "parameters": {"names": names}}
    answer = client("POST", f"/v2/models/{bundle.name}/infer", json={"inputs": [tensor]})
    assert answer.status_code == 200, answer.text
    (output,) = answer.json()["outputs"]
    close([json.loads(text) for text in output["data"]], printed(bundle, files))


def test_pictures_come_in_the_names_of_the_files(asked: Asked) -> None:
    client, bundle, files = asked
    parts = [("image", (file.name, file.read_bytes())) for file in files[:1]]
    answer = client("POST", f"/v1/models/{bundle.name}:predict?pictures=true", files=parts)
    if bundle.name == "digits":
        assert answer.status_code == 200
        assert answer.json()["predictions"][0]["pictures"] == []
    else:
        assert all(one["pictures"][0]["name"].startswith("0") for one in answer.json()["predictions"])


@pytest.fixture(scope="module")
def traffic(clients: Callable[..., Client], forecast: Finished, tmp_path_factory: pytest.TempPathFactory) -> Client:
    folder = tmp_path_factory.mktemp("tracks") / "traffic"
    write_bundle(load(forecast.folder), folder, reader=None, settings=FP32)
    return clients({"traffic": folder})


ROAD = "/v1/models/traffic:predict"


def test_a_file_of_tracks_answers_for_the_samples_that_are_named(traffic: Client, tmp_path: Path) -> None:
    file = file_of("traffic", tmp_path, 0)
    part = {"files": {"image": ("new.csv", file.read_bytes())}}
    (one,) = traffic("POST", f"{ROAD}?only=*:car1@59", **part).json()["predictions"]
    assert (one["source"], one["vehicle"], one["frame"]) == ("new.csv", "car1", 59)
    answer = traffic("POST", f"{ROAD}?only=*:car7@*", **part)
    assert (answer.status_code, "?only *:car7@*" in error_of(answer)) == (422, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"content": b"track,frame,x,y\n"}, "send the file with its name"),
        ({"content": picture(), "headers": {"content-type": "image/png"}}, "send the file with its name"),
        ({"files": {"image": ("one.png", picture())}}, "told by their ending"),
        ({"files": {"image": ("new.csv", b"track,frame,x,y\n")}}, "new.csv"),
        ({"files": {"image": ("new.csv", picture())}}, "new.csv"),
        ({"files": {"image": ("new.xml", b"<commonRoad>")}}, "new.xml"),
        ({"files": {"image": ("new.parquet", b"PAR1")}}, "new.parquet"),
        ({"files": {"image": ("../../etc/new.json", b"{}")}}, "new.json"),
    ],
)
def test_what_is_no_file_of_tracks_gets_a_line(traffic: Client, words: dict[str, Any], said: str) -> None:
    answer = traffic("POST", ROAD, **words)
    line = error_of(answer)
    assert (answer.status_code, said in line) == (422, True), line
    assert "/tmp" not in line  # noqa: S108 - the folder where it lay is no concern of a client's


def test_names_that_are_not_as_many_as_the_files_get_a_line(traffic: Client) -> None:
    tensor = {"name": "image", "datatype": "BYTES", "shape": [1], "data": ["AA=="], "parameters": {"names": ["a", "b"]}}
    answer = traffic("POST", "/v2/models/traffic/infer", json={"inputs": [tensor]})
    assert (answer.status_code, "2 names for 1 files" in error_of(answer)) == (422, True)
