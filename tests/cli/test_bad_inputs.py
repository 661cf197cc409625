"""Nothing that people bring ends in a traceback: the cases of `benchmarks/bad_inputs.py`, and readers fed nonsense."""

import contextlib
import importlib.util
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resvision.cli.main import run as run_cli
from resvision.core import history, rundir
from resvision.core.errors import DataError, ResVisionError
from resvision.data import cache, folder
from resvision.data.check import check
from resvision.data.cifar import read_batch
from resvision.data.idx import read_idx
from resvision.kinds.classification.scores import ClassificationScores
from resvision.run import read_run

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


bad_inputs = benchmark("bad_inputs")
CASES = [
    case
    for case in bad_inputs.CASES
    if case.name not in bad_inputs.IMAGES and not case.before and not case.name.endswith("=abc")
]  # the others take more time, and are looked at below and in test_settings


def in_process(words: Sequence[str], here: Path, *, before: Sequence[str] = ()) -> "subprocess.CompletedProcess[str]":
    """What the command line does, without the start of a process."""
    if before:
        return bad_inputs.call(words, here, before=before)
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, place in {"XDG_CACHE_HOME": "cache", "RESVISION_DATA": "data"}.items():
            patch.setenv(name, str(here / place))
        patch.setenv("COLUMNS", "400")
        patch.chdir(here)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run_cli([*words])
    return subprocess.CompletedProcess([*words], code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bad")
    bad_inputs.prepare(place, run=in_process)
    return place


@pytest.mark.parametrize("case", CASES, ids=[f"{case.name[:50]}-{case.words[0]}" for case in CASES])
def test_a_bad_input_gets_one_line_and_its_exit_code(case: "bad_inputs.Case", here: Path) -> None:
    code, line, wrong = bad_inputs.try_case(case, here, run=in_process)
    assert not wrong, (code, line)


def test_a_file_without_permission_is_named_to_root_too(tmp_path: Path) -> None:
    if shutil.which(bad_inputs.AS_ALL[0]) is None:
        pytest.skip("root may read everything, and there is no setpriv to take that right away")
    (tmp_path / "it.jpg").write_bytes(bad_inputs.JPEG)
    (tmp_path / "it.jpg").chmod(0)
    code = (
        f"from pathlib import Path; from resvision.core.images import decode; decode(Path({str(tmp_path)!r}, 'it.jpg'))"
    )
    done = subprocess.run([*bad_inputs.AS_ALL, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith("it.jpg: no permission to read it")


def test_a_check_lists_all_faults_at_once_and_counts_what_is_fine(here: Path, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(5):
            bad_inputs.picture(number).save(tmp_path / "pets" / name / f"{number}.png")
    for file, make, _ in bad_inputs.IMAGES.values():
        (tmp_path / "pets" / "cat" / file).write_bytes(make())
    done = in_process(["data", "check", str(tmp_path / "pets")], here)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    for file, _, says in bad_inputs.IMAGES.values():
        assert sum(f"/{file}: " in line and says in line for line in lines) == 1, file
    count = len(bad_inputs.IMAGES)
    assert lines[-1].endswith(f"{10 + count} images, 10 fine, {count} faults, 0 in both splits")
    done = in_process(["predict", str(here / "good"), str(tmp_path / "pets"), "--json"], here)
    assert done.returncode == 1
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 10
    assert done.stderr.splitlines()[-1] == f"resvision: {count} of {10 + count} images could not be used"
    for file, _, says in bad_inputs.IMAGES.values():
        assert sum(f"/{file}: " in line and says in line for line in done.stderr.splitlines()) == 1, file


def test_a_check_decodes_the_classes_that_training_does_not_have(here: Path, tmp_path: Path) -> None:
    for place in ("train/cat", "train/dog", "val/cat", "val/wolf"):
        (tmp_path / place).mkdir(parents=True)
        bad_inputs.picture(len(place)).save(tmp_path / place / "a.png")
    (tmp_path / "val/wolf/b.png").write_bytes(bad_inputs.JPEG[:99])
    found = check(str(tmp_path))
    assert (found.images, found.fine) == (5, 4)
    assert {Path(fault.where).name for fault in found.faults} == {"wolf", "b.png"}
    assert check(str(tmp_path)) == found  # as kept
    (tmp_path / "val/wolf/b.png").unlink()
    assert check(str(tmp_path)).fine == 4


def test_a_terminal_that_cannot_show_a_name_gets_it_escaped() -> None:
    code = "from resvision.cli import main as m; m.run = lambda words: print('고양이') or 0; m.main([])"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == r"\uace0\uc591\uc774" + "\n"


# ---------------------------------------------------------------------------------------------- readers


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that many examples write into."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield tmp_path_factory.mktemp("readers")


def mutated(whole: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with a piece replaced, at most half of the time cut; or bytes of no meaning."""
    pieces = st.tuples(st.integers(0, len(whole)), st.integers(0, 20), st.binary(max_size=20))
    changed = st.lists(pieces, min_size=1, max_size=3).map(lambda changes: _changed(whole, changes))
    return st.binary(max_size=300) | changed | st.integers(0, len(whole)).map(lambda end: whole[:end])


def _changed(whole: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for start, length, new in changes:
        whole = whole[:start] + new + whole[start + length :]
    return whole


def read_or_refused(read: Callable[[], object], kind: type[ResVisionError] = ResVisionError) -> None:
    with contextlib.suppress(kind):
        read()


IDX = bytes((0, 0, 8, 3)) + np.array([2, 3, 3], ">u4").tobytes() + bytes(18)
BATCH = pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 1]}, protocol=2)
numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
plain = st.recursive(numbers, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


def tarred() -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in ("pets/cat/0.png", "pets/cat/1.png", "pets/dog/0.png", "pets/dog/1.png"):
            member = tarfile.TarInfo(name)
            data = bad_inputs.encoded(bad_inputs.picture(len(name)).resize((4, 4)), "PNG")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return stream.getvalue()


@given(mutated(IDX), st.sampled_from(["it", "it.gz"]))
def test_any_bytes_are_an_idx_file_or_refused(place: Path, data: bytes, name: str) -> None:
    (place / name).write_bytes(data)
    read_or_refused(lambda: read_idx(place / name, shape=(2, 3, 3)), DataError)


@given(mutated(BATCH[:200] + BATCH[-60:]) | mutated(BATCH))
def test_any_bytes_are_a_batch_of_cifar_or_refused(place: Path, data: bytes) -> None:
    (place / "batch").write_bytes(data)
    read_or_refused(lambda: read_batch(place / "batch", labels=b"labels", images=2, classes=10), DataError)


@settings(max_examples=50)
@given(mutated(tarred()))
def test_any_bytes_are_a_tar_of_images_or_refused(place: Path, data: bytes) -> None:
    (place / "pets.tar").write_bytes(data)
    read_or_refused(lambda: check(str(place / "pets.tar")), DataError)


@settings(max_examples=50)
@given(st.lists(st.binary(min_size=1, max_size=8).filter(lambda name: not {*name} & {0, 47}), max_size=4, unique=True))
def test_any_names_in_a_folder_are_classes_or_faults(
    tmp_path_factory: pytest.TempPathFactory, names: list[bytes]
) -> None:
    pets = tmp_path_factory.mktemp("pets")
    for name in {*names} - {b".", b".."}:
        (pets / os.fsdecode(name)).mkdir()
        (pets / os.fsdecode(name) / os.fsdecode(name)).write_bytes(b"")
    found = check(str(pets))
    assert found.fine == 0
    assert all(str(fault).isprintable() for fault in found.faults)

    read_or_refused(lambda: folder.open_splits(pets), DataError)


lines = st.dictionaries(st.sampled_from(["step", "epoch", "loss", "evaluation", "split", "x"]), plain).map(json.dumps)


@settings(max_examples=50)
@given(st.lists(lines | st.text(max_size=20) | st.just('{"step": 1}'), max_size=4))
def test_any_lines_are_a_history_or_refused(place: Path, texts: list[str]) -> None:
    (place / "history.jsonl").write_bytes("\n".join(texts).encode(errors="replace"))
    read_or_refused(lambda: json.dumps([*history.read(place / "history.jsonl")], allow_nan=False))


@given(st.binary(max_size=50) | plain.map(lambda data: json.dumps(data).encode()))
def test_any_bytes_are_no_run(place: Path, data: bytes) -> None:
    (place / rundir.RUN).write_bytes(data)
    with pytest.raises(ResVisionError, match=r"run\.json"):
        read_run(place)


@given(plain)
def test_any_plain_data_is_no_evaluation(data: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        ClassificationScores.from_json(data)


@settings(max_examples=30)
@given(st.binary(max_size=30) | plain.map(lambda data: json.dumps(data).encode()))
def test_a_damaged_cache_is_as_good_as_none(place: Path, data: bytes) -> None:
    pets = place / "some"
    if not pets.exists():
        for name in ("cat", "dog"):
            (pets / name).mkdir(parents=True)
            for number in range(2):
                bad_inputs.picture(number).resize((4, 4)).save(pets / name / f"{number}.png")
    expected = check(str(pets), again=True)
    folder.open_splits(pets)
    for file in (Path(os.environ["XDG_CACHE_HOME"]) / "resvision" / "checks").glob("*.json"):
        file.write_bytes(data)
    assert cache.read("nothing", "of that name", list[int]) is None
    assert check(str(pets)) == expected
    assert folder.open_splits(pets).train.view.crop_px == 4
