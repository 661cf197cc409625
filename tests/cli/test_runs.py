import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from report_runs import write_run

from resvision.cli.runs import size
from resvision.core import rundir
from resvision.launch import Finished

Cli = Callable[..., tuple[int, str, str]]


def test_runs_are_listed_with_their_scores(tmp_path: Path, cli: Cli) -> None:
    write_run(tmp_path / "a", wrong=9)
    write_run(tmp_path / "b", wrong=3)
    write_run(tmp_path / "c", steps=6, wrong=None)
    (write_run(tmp_path / "d") / rundir.RUN).write_text("no run")
    code, out, err = cli("runs", tmp_path, "--sort", "score")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines() if "resnet20" in line]
    assert [row[0] for row in rows] == ["b", "c", "a"]
    assert "b * 10.00% top-1 error finished resnet20 nowhere 6.0 s" in " ".join(out.split())
    assert "unfinished, 50%" in out
    assert f"damaged: {tmp_path / 'd' / rundir.RUN}: not valid JSON" in out
    code, out, _ = cli("runs", "list", tmp_path, "--json")
    documents = json.loads(out)["runs"]
    assert [document["state"] for document in documents] == ["finished", "finished", "unfinished", "damaged"]
    assert (documents[1]["score"], documents[1]["best"], documents[1]["seconds"]) == (0.1, True, 6.0)


def test_a_folder_without_runs_is_said_to_have_none(tmp_path: Path, cli: Cli) -> None:
    assert cli("runs", tmp_path)[:2] == (0, f"{tmp_path}: holds no run; `resvision train` makes one\n")
    assert cli("runs", tmp_path / "nowhere")[0] == 2


def test_a_finished_run_is_cleaned_and_can_be_used_but_not_extended(
    finished: Finished, tmp_path: Path, cli: Cli
) -> None:
    run, unfinished = tmp_path / "runs" / "run", write_run(tmp_path / "runs" / "unfinished", steps=5, wrong=None)
    shutil.copytree(finished.folder, run)
    (unfinished / rundir.CHECKPOINTS / "step-1").mkdir(parents=True)
    damaged = shutil.copytree(run, run.with_name("damaged"))
    (damaged / rundir.CHECKPOINTS / rundir.LAST).write_text("step-9\n")
    code, out, _ = cli("runs", "clean", run.parent, "--state", "--dry-run")
    assert code == 0
    assert "optimizer.safetensors: the optimizer's state" in out
    assert f"{unfinished}: unfinished, left alone" in out
    assert f"{damaged / rundir.CHECKPOINTS / rundir.LAST}: names no checkpoint of this run, left alone" in out
    assert list(run.rglob(rundir.OPTIMIZER))
    code, _, err = cli("runs", "clean", run.parent, "--state")
    assert (code, "--yes" in err) == (2, True)
    code, out, _ = cli("runs", "clean", run.parent, "--state", "--yes")
    assert code == 0
    assert "no longer be extended" in out
    assert not list(run.rglob(rundir.OPTIMIZER))
    assert (unfinished / rundir.CHECKPOINTS / "step-1").is_dir()
    assert cli("evaluate", run, "--json")[0] == 0
    code, _, err = cli("train", "--resume", run)
    assert code == 2
    assert "can be used, but no longer be extended" in err


@pytest.mark.parametrize(("count", "words"), [(0, "0 B"), (999, "999 B"), (4100, "4.1 kB"), (2**40, "1.1 TB")])
def test_sizes_are_said_in_the_unit_that_suits(count: int, words: str) -> None:
    assert size(count) == words
