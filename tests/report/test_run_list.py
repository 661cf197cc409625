import subprocess
import sys
from pathlib import Path

import pytest
from report_runs import write_run

from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.report.run_list import list_runs, phase_folders


def states(folder: Path) -> dict[str, str]:
    return {str(run.folder.relative_to(folder)): run.state for run in list_runs(folder)}


def test_runs_are_listed_with_their_states_and_a_damaged_one_stops_nothing(tmp_path: Path) -> None:
    write_run(tmp_path / "a" / "done")
    write_run(tmp_path / "b", steps=5, wrong=None)
    damaged = write_run(tmp_path / "c")
    (damaged / rundir.RUN).write_text("{")
    (tmp_path / "empty").mkdir()
    assert states(tmp_path) == {"a/done": "finished", "b": "unfinished", "c": "damaged"}
    assert str(damaged / rundir.RUN) in [run.damage for run in list_runs(tmp_path)][2]


def test_only_the_best_of_runs_with_one_test_is_marked(tmp_path: Path) -> None:
    write_run(tmp_path / "bad", wrong=9)
    write_run(tmp_path / "good", wrong=2)
    write_run(tmp_path / "alone", wrong=1, data__name="elsewhere")
    write_run(tmp_path / "unfinished", steps=5, wrong=None)
    assert [run.folder.name for run in list_runs(tmp_path) if run.best] == ["good"]


def test_a_link_is_not_searched_and_no_folder_is_an_error(tmp_path: Path) -> None:
    write_run(tmp_path / "elsewhere" / "run")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "elsewhere")
    assert states(tmp_path / "runs") == {}
    with pytest.raises(RunError, match="no such folder"):
        list_runs(tmp_path / "nowhere")


def test_phases_stand_together_with_their_fits(tmp_path: Path) -> None:
    write_run(tmp_path / "both" / "1-net")
    rundir.write_json(tmp_path / "both" / rundir.PHASES, {})
    fit = tmp_path / "both" / "2-svm"
    fit.mkdir()
    rundir.write_json(fit / rundir.FIT, {})
    assert states(tmp_path) == {"both/1-net": "finished", "both/2-svm": "unfinished"}
    rundir.write_json(fit / rundir.EVALUATION, {"top1_error": 0.25})
    runs = list_runs(tmp_path)
    assert [run.figures for run in runs] == [None, {"top1_error": 0.25}]
    assert phase_folders(run.folder for run in runs) == {tmp_path / "both": [runs[0].folder, fit]}


def test_a_run_that_another_process_trains_is_told_apart(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=5, wrong=None)
    code = "import sys; from pathlib import Path; from resvision.core import rundir\n"
    code += "with rundir.locked(Path(sys.argv[1])): print(); sys.stdin.read()"
    words = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert states(tmp_path) == {"run": "training"}
        other.communicate()
    assert states(tmp_path) == {"run": "unfinished"}
