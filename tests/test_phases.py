import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.numpy import load_file
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import LinearSVC
from support import SEGMENTED, TINY

import resvision
import resvision.phases as phases_module
from resvision.assembly import assemble
from resvision.core import rundir
from resvision.core.errors import DataError, RunError, SettingsError, Stopped, UnknownNameError
from resvision.core.settings import to_json
from resvision.launch import Finished
from resvision.loading.batches import EvalBatches
from resvision.phases import Outcome, launch_phases, resume_phases
from resvision.preparation import reopen
from resvision.recipes import compose, compose_phases
from resvision.run import DataSettings, Run, read_run
from resvision.training.checkpoints import result_weights
from resvision.training_graph import (
    FitInputs,
    FitPhase,
    Phase,
    RunPhase,
    chain,
    checked_phases,
    graph_from_json,
    graph_to_json,
)

Cli = Callable[..., tuple[int, str, str]]

QUIET = Console(quiet=True)

OWN = '''
import os
import signal
import numpy as np
import safetensors.numpy
from torch import nn
from resvision.core import rundir
from resvision.recipes import compose
from resvision.training_graph import FitPhase, Fitted, RunPhase


def killed_at(moment):
    if os.environ.get("KILLED_AT") == moment:
        os.kill(os.getpid(), signal.SIGKILL)


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.steps = 0
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2))
        self.fc = nn.Linear(196, num_classes)

    def forward(self, images):
        self.steps += self.training and not images.is_meta
        killed_at(f"step {self.steps}")
        return self.fc(self.body(images))


def net(*, num_classes):
    return Net(num_classes)


def sums(inputs):
    """Sums of a parent's weights, one after another; what was summed before a stop is not summed again."""
    weights = safetensors.numpy.load_file(inputs.weights("net"))
    for number, name in enumerate(sorted(weights)):
        part = inputs.scratch / f"{number}.npy"
        if not part.is_file():
            killed_at(f"part {number}")
            inputs.leave_if_stopped()
            with (inputs.scratch.parent.parent / "summed.txt").open("a") as file:
                print(name, file=file)
            np.save(part, weights[name].sum())
    total = sum(float(np.load(part)) for part in sorted(inputs.scratch.glob("*.npy")))
    return Fitted(tensors={"total": np.array([total])}, evaluation={"total": total})


def graph(model, data):
    run = compose(model, data, recipe_name="small-images-short", changes={"training.checkpoint_seconds": 1e-6})
    return (
        RunPhase(name="first", run=run),
        FitPhase(name="sums", fit="own_phases:sums", parents={"net": "first"}),
        RunPhase(name="second", run=run, init_from="first"),
        FitPhase(
            name="svm", fit="resvision.fits.features:linear_svm", parents={"net": "second"}, options={"cost": 0.1}
        ),
    )
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with a module `own_phases` in it."""
    (tmp_path / "own_phases.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    sys.modules.pop("own_phases", None)


def tiny(*, steps: int = 3, **changes: Any) -> Run:
    changes = {name.replace("__", "."): value for name, value in changes.items()}
    return compose("resnet20", "digits", changes={**TINY, "training.duration": f"{steps} steps", **changes})


def fit(name: str, kind: str = "own_phases:sums", **options: Any) -> FitPhase:
    return FitPhase(name=name, fit=kind, parents={"net": "net"}, options=options)


def carried_out(phases: tuple[Phase, ...], out: Path) -> Outcome:
    return launch_phases(phases, out=out, console=QUIET)


def parameters(folder: Path) -> dict[str, bytes]:
    """The result weights of every phase, as bytes."""
    found = {}
    for place in sorted(each for each in folder.iterdir() if each.is_dir()):
        file = place / rundir.WEIGHTS if (place / rundir.FIT).is_file() else result_weights(place)
        found[place.name] = file.read_bytes()
    return found


@pytest.fixture(scope="module")
def fitted(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on digits and three fits on its features."""
    out = tmp_path_factory.mktemp("graph") / "digits"
    shutil.copytree(finished.folder, out / "1-net")
    phases = (
        RunPhase(name="net", run=finished.run),
        fit("svm", "resvision.fits.features:linear_svm", cost=10.0),
        fit("ridge", "resvision.fits.features:ridge_classifier"),
        fit("clusters", "resvision.fits.features:feature_clusters", clusters=7, seed=3),
    )
    rundir.write_json(out / rundir.PHASES, graph_to_json(phases))
    outcome = resume_phases(out, console=QUIET)
    assert outcome.folder == out / "4-clusters"
    assert outcome.summary.startswith("inertia ")
    return out


def features(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features and labels of training images and of test images, from the net without its last layer."""
    run = read_run(folder)
    trained, built = resvision.load(folder), assemble(reopen(run), device=torch.device("cpu"), begun=True)
    trained.system.net.fc = torch.nn.Identity()
    found: list[np.ndarray] = []
    for reader in (built.splits.train, built.splits.test):
        batch = EvalBatches(reader, batch_size=len(reader), grey=True)[0]
        with torch.no_grad():
            found += [trained.system.logits(batch.inputs).numpy(), batch.targets.numpy()]
    x, labels, test_x, test_labels = found
    return x, labels, test_x, test_labels


def test_fits_of_features_learn_what_scikit_learn_does(fitted: Path) -> None:
    x, labels, test_x, test_labels = features(fitted / "1-net")
    judges = {
        "2-svm": LinearSVC(C=10.0, dual=False).fit(x.astype(np.float64), labels),
        "3-ridge": RidgeClassifier(alpha=1.0, solver="svd").fit(x.astype(np.float64), labels),
    }
    for name, judge in judges.items():
        tensors = load_file(fitted / name / rundir.WEIGHTS)
        assert {key: value.shape for key, value in tensors.items()} == {"weight": (10, 16), "bias": (10,)}
        figures = json.loads((fitted / name / rundir.EVALUATION).read_text())
        predicted = (test_x @ tensors["weight"].T + tensors["bias"]).argmax(axis=1)
        assert figures == {"top1_error": np.mean(predicted != test_labels), "images": len(test_labels)}
        assert figures["top1_error"] == pytest.approx(1 - judge.score(test_x, test_labels), abs=0.01)
        assert figures["top1_error"] < 0.7
        assert not (fitted / name / rundir.SCRATCH).exists()


def test_clusters_of_features_have_their_inertia(fitted: Path) -> None:
    x, *_ = features(fitted / "1-net")
    centres = load_file(fitted / "4-clusters" / rundir.WEIGHTS)["centres"]
    assert centres.shape == (7, 16)
    figures = json.loads((fitted / "4-clusters" / rundir.EVALUATION).read_text())
    squares = ((x[:, None] - centres) ** 2).sum(axis=2).min(axis=1)
    assert figures["inertia"] == pytest.approx(squares.sum(), rel=1e-4)


def test_a_finished_graph_is_left_as_it_is(fitted: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in fitted.rglob("*.safetensors")}
    outcome = resume_phases(fitted, console=QUIET)
    assert outcome.summary.startswith("inertia ")
    assert {path: path.stat().st_mtime_ns for path in fitted.rglob("*.safetensors")} == before


def test_a_graph_that_was_moved_goes_on(fitted: Path, tmp_path: Path) -> None:
    shutil.copytree(fitted, tmp_path / "moved")
    shutil.rmtree(tmp_path / "moved" / "2-svm")
    resume_phases(tmp_path / "moved", console=QUIET)
    assert parameters(tmp_path / "moved") == parameters(fitted)


def test_the_place_of_data_that_have_moved_is_noted_in_phases_and_their_runs(fitted: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(fitted, tmp_path / "copy"))
    resume_phases(folder, root=tmp_path, console=QUIET)
    net = read_run(folder / "1-net")
    assert net.data.root == str(tmp_path)
    assert json.loads((folder / "phases.json").read_text())["phases"][0]["run"]["data"]["root"] == str(tmp_path)


def test_features_that_an_earlier_start_left_are_not_computed_again(
    fitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(fitted, tmp_path / "graph")
    for name in ("2-svm", "3-ridge"):
        (folder / name / rundir.EVALUATION).unlink()
    with monkeypatch.context() as patched:
        patched.setattr("resvision.fits.features.fit_svm", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            resume_phases(folder, console=QUIET)
    assert len([*(folder / "2-svm" / rundir.SCRATCH).iterdir()]) == 2
    shutil.copytree(folder / "2-svm" / rundir.SCRATCH, folder / "3-ridge" / rundir.SCRATCH)
    monkeypatch.setattr("resvision.fits.features.predict_all", lambda *_, **__: 1 / 0)
    resume_phases(folder, console=QUIET)
    assert parameters(folder) == parameters(fitted)


def test_runs_and_fits_that_were_killed_go_on_to_the_same_bits(own: Path, cli: Cli) -> None:
    words = ["train", "own_phases:net", "--data", "digits", "--recipe", "own_phases:graph"]
    for setting in ("data.image_size=16", "training.duration=4 steps", "machine.threads=1"):
        words += ["--set", setting]
    code, out, err = cli(*words, "--out", "straight")
    assert code == 0, err
    assert out.startswith("straight/4-svm: top-1 error ")
    for moment, more in {
        "step 3": [*words, "--out", "killed"],
        "part 2": ["train", "--resume", "killed", "--allow-code"],
    }.items():
        command = [sys.executable, "-m", "resvision", *more]
        ended = subprocess.run(command, env={**os.environ, "KILLED_AT": moment}, capture_output=True, text=True)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert (own / "killed/1-first" / rundir.CHECKPOINTS / rundir.LAST).is_file()
        assert (own / "killed/1-first" / rundir.EVALUATION).is_file() == (moment == "part 2")
    assert [each.name for each in sorted((own / "killed").glob("?-*"))] == ["1-first", "2-sums"]
    assert len([*(own / "killed/2-sums" / rundir.SCRATCH).iterdir()]) == 2
    sys.modules.pop("own_phases", None)
    code, _, err = cli("train", "--resume", "killed")
    assert (code, "own_phases" in sys.modules) == (2, False)
    assert "killed/phases.json: would import own_phases:net and own_phases:sums; if you trust it" in err
    assert cli("train", "--resume", "killed", "--allow-code")[0] == 0
    assert parameters(own / "killed") == parameters(own / "straight")
    assert (own / "killed/summed.txt").read_text() == (own / "straight/summed.txt").read_text()


def test_settings_hold_for_every_run_and_for_the_data_of_fits(own: Path) -> None:
    changes = {"optimizer.lr": 0.5, "data.root": "/somewhere", **TINY}
    del changes["model.options.width"]
    module = (own / "own_phases.py").read_text()
    module += """
def with_anchors(model, data):
    from resvision.run import DataSettings
    first, sums, *others = graph(model, data)
    anchors = FitPhase(name="anchors", fit="own_phases:sums", data=DataSettings(name=data))
    return (anchors, first, sums, *others)
"""
    (own / "own_phases.py").write_text(module)
    settings = ["data.channels=1", "training.batch_size=7"]
    phases = compose_phases(
        "own_phases:net", "digits", recipe_name="own_phases:with_anchors", changes=changes, settings=settings
    )
    runs = [phase.run for phase in phases if isinstance(phase, RunPhase)]
    assert [(run.optimizer.lr, run.data.root, run.training.batch_size) for run in runs] == [(0.5, "/somewhere", 7)] * 2
    anchors, _, sums, *_ = phases
    assert isinstance(anchors, FitPhase)
    assert anchors.data == DataSettings(name="digits", root="/somewhere", channels=1, image_size=16)
    assert isinstance(sums, FitPhase)
    assert sums.data is None


def test_a_folder_of_the_first_format_goes_on(tmp_path: Path) -> None:
    runs = (tiny(), tiny(training__seed=1))
    carried_out(chain(runs), tmp_path / "chain")
    folder = tmp_path / "chain"
    straight = parameters(folder)
    assert [*straight] == ["1-resnet20", "2-resnet20"]
    assert read_run(folder / "2-resnet20").model.init_from == str(result_weights(folder / "1-resnet20"))
    old = [to_json(run) for run in runs]
    del old[0]["augment"]["brightness"]  # as older runs are
    rundir.write_json(folder / rundir.PHASES, old)
    shutil.rmtree(folder / "2-resnet20")
    assert resume_phases(folder, console=QUIET).folder == folder / "2-resnet20"
    assert parameters(folder) == straight


def test_a_run_starts_with_two_parents(squares: Path, tmp_path: Path) -> None:
    encoder = {"model.options.width": 4, "data.image_size": 32, "data.channels": 3, "machine.precision": "fp32"}
    encoder |= {"training.duration": "2 steps", "machine.threads": 1, "machine.workers": 0}
    segmenter = {**SEGMENTED, "training.batch_size": 4, "training.duration": "2 steps", "training.ema_decay": None}
    first = compose("deeplabv3plus", str(squares), changes=segmenter)
    still = replace(first, optimizer=replace(first.optimizer, lr=1e-12))
    phases = (
        RunPhase(name="encoder", run=compose("resnet18", "digits", changes=encoder)),
        RunPhase(name="first", run=first),
        RunPhase(name="both", run=still, init_from="first", encoder_from="encoder"),
        RunPhase(name="again", run=still, init_from="first", encoder_from="both"),
    )
    out = tmp_path / "graph"
    carried_out(phases, out)
    weights = {name: load_file(result_weights(out / name)) for name in ("1-encoder", "2-first", "3-both", "4-again")}
    for name in ("3-both", "4-again"):
        close = {"rtol": 0, "atol": 1e-6}
        np.testing.assert_allclose(
            weights[name]["backbone.conv1.weight"], weights["1-encoder"]["conv1.weight"], **close
        )
        np.testing.assert_allclose(weights[name]["classifier.weight"], weights["2-first"]["classifier.weight"], **close)
    assert not np.allclose(weights["2-first"]["backbone.conv1.weight"], weights["1-encoder"]["conv1.weight"], atol=1e-3)


def with_fit(own: Path, body: str, **options: Any) -> tuple[Phase, ...]:
    """A graph of one fit, whose function is of that body."""
    text = OWN + "\n\ndef fitting(inputs):\n" + "\n".join(f"    {line}" for line in body.splitlines()) + "\n"
    (own / "own_phases.py").write_text(text)
    return (FitPhase(name="fit", fit="own_phases:fitting", options=options),)


def test_a_fit_that_fails_keeps_its_scratch_and_goes_on(own: Path) -> None:
    body = """
before = [*inputs.scratch.iterdir()]
rundir.write_text(inputs.scratch / "begun", "1")
if not before:
    raise KeyError("lost")
return Fitted(tensors={"x": np.ones(3)}, evaluation={"x": 3})
"""
    with pytest.raises(SettingsError, match=r"own_phases:fitting: KeyError: 'lost' \(own_phases.py, line \d+\)"):
        carried_out(with_fit(own, body), own / "graph")
    assert (own / "graph/1-fit/scratch/begun").is_file()
    assert not (own / "graph/1-fit" / rundir.WEIGHTS).exists()
    assert resume_phases(own / "graph", allow_code=True, console=QUIET).summary == "x 3"
    assert sorted(each.name for each in (own / "graph/1-fit").iterdir()) == [
        rundir.EVALUATION,
        rundir.FIT,
        rundir.WEIGHTS,
    ]


@pytest.mark.parametrize("checks", [0, 2])
def test_a_signal_stops_a_fit(own: Path, checks: int) -> None:
    body = f"""
for _ in range({checks}):
    inputs.leave_if_stopped()
    rundir.write_text(inputs.scratch / "part", "1")
    os.kill(os.getpid(), signal.SIGTERM)
    rundir.write_text(inputs.scratch / "after", "1")
os.kill(os.getpid(), signal.SIGTERM)
rundir.write_text(inputs.scratch / "end", "1")
"""
    with pytest.raises(Stopped) as stopped:
        carried_out(with_fit(own, body), own / "graph")
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    left = sorted(each.name for each in (own / "graph/1-fit/scratch").iterdir())
    assert left == (["after", "part"] if checks else [])


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("3", "gave int, not a resvision.training_graph.Fitted"),
        (
            "Fitted(tensors={}, evaluation={'loss': float('nan')})",
            "its evaluation has loss = nan, which is not a finite",
        ),
        ("Fitted(tensors={}, evaluation={})", "its evaluation has no figure"),
        ("inputs.weights('net')", "the fit needs a phase as 'net', it names none"),
    ],
)
def test_what_a_fit_gives_is_looked_at(own: Path, returned: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        carried_out(with_fit(own, f"return {returned}"), own / "graph")
    assert not (own / "graph/1-fit" / rundir.EVALUATION).exists()


def test_another_fit_in_the_folder_is_refused_with_the_differences(own: Path) -> None:
    phases = with_fit(own, "return Fitted(tensors={}, evaluation={'x': 1})", depth=1)
    carried_out(phases, own / "graph")
    other = (replace(phases[0], options={"depth": 2}),)
    rundir.write_json(own / "graph" / rundir.PHASES, graph_to_json(other))
    with pytest.raises(RunError, match=r"1-fit: is another fit: options.depth is 1, asked 2; move it away"):
        resume_phases(own / "graph", allow_code=True, console=QUIET)
    (own / "graph/1-fit" / rundir.FIT).write_text("{}")
    with pytest.raises(RunError, match=r"fit\.json: damaged"):
        resume_phases(own / "graph", allow_code=True, console=QUIET)


def test_a_folder_of_images_is_found_again_from_elsewhere(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "return Fitted(tensors={}, evaluation={'found': os.path.isdir(inputs.data.name)})"
    (own / "pictures").mkdir()
    phases = with_fit(own, body)
    run = replace(tiny(), data=DataSettings(name="pictures"))
    with pytest.raises(DataError):  # the folder is empty, but it is known by then
        carried_out((replace(phases[0], data=run.data), RunPhase(name="net", run=run)), own / "graph")
    shutil.rmtree(own / "graph/1-fit")
    (own / "elsewhere").mkdir()
    monkeypatch.chdir(own / "elsewhere")
    with pytest.raises(DataError, match=str(own / "pictures")):
        resume_phases(own / "graph", allow_code=True, console=QUIET)
    assert json.loads((own / "graph/1-fit" / rundir.EVALUATION).read_text()) == {"found": True}


def test_options_of_a_fit_are_typed(fitted: Path, tmp_path: Path) -> None:
    inputs = FitInputs(
        parents={"net": fitted / "1-net"},
        options={"costs": 1.0},
        data=None,
        scratch=tmp_path,
        console=QUIET,
        leave_if_stopped=lambda: None,
        allow_code=False,
    )
    from resvision.fits.features import linear_svm

    with pytest.raises(SettingsError, match=r"unknown key 'options.costs'; nearest: cost"):
        linear_svm(inputs)
    with pytest.raises(SettingsError, match=r"options.cost: expected a number > 0\.0"):
        linear_svm(replace(inputs, options={"cost": -1.0}))


def test_phases_that_make_no_graph_are_refused() -> None:
    net = RunPhase(name="net", run=tiny())
    cases: dict[str, tuple[Phase, ...]] = {
        "at least one": (),
        "there are two of this name": (net, net),
        "net is 'net', but the phases before it are none": (fit("svm"), net),
        "net is 'net', but the phases before it are fit": (replace(fit("fit"), parents={}), fit("svm")),
        "init_from is 'nets', but": (net, replace(net, name="b", init_from="nets")),
        "letters, digits": (replace(net, name="../out"),),
        "name a function as package.module:function": (net, fit("svm", "svm")),
    }
    for message, phases in cases.items():
        with pytest.raises(SettingsError, match=message):
            checked_phases(phases)


def test_nothing_is_written_for_phases_that_cannot_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    net = RunPhase(name="net", run=tiny())
    with pytest.raises(UnknownNameError, match=r"unknown fit 'resvision\.fits\.features:svm': module .* has no 'svm'"):
        carried_out((net, fit("svm", "resvision.fits.features:svm")), tmp_path / "graph")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match="leave torchrun out"):
        carried_out((net, replace(net, name="b", init_from="net")), tmp_path / "graph")
    assert not (tmp_path / "graph").exists()


def test_a_graph_goes_to_json_and_back_strictly() -> None:
    phases = (RunPhase(name="net", run=tiny()), fit("svm", cost=2.0), replace(fit("last"), data=DataSettings(name="d")))
    data = json.loads(json.dumps(graph_to_json(phases)))
    assert data["format"] == 2
    assert graph_from_json(data, allow_code=True) == phases

    def damaged(message: str, change: Callable[[Any], None]) -> None:
        broken = json.loads(json.dumps(data))
        change(broken)
        with pytest.raises(SettingsError, match=message):
            graph_from_json(broken, allow_code=True)

    damaged("format 3, this version of resvision reads 2", lambda d: d.update(format=3))
    damaged("expected an object", lambda d: d.update(more=1))
    damaged("expected an object", lambda d: d.update(phases=3))
    damaged("at least one", lambda d: d.update(phases=[]))
    damaged(r"phase 2.kind: unknown kind 'fits'; nearest: fit", lambda d: d["phases"][1].update(kind="fits"))
    damaged(r"unknown key 'phase 2.option'", lambda d: d["phases"][1].update(option=1))
    damaged(r"phase 2.parents: missing", lambda d: d["phases"][1].pop("parents"))
    damaged(r"phase 1.run.optimizer.lr: expected", lambda d: d["phases"][0]["run"]["optimizer"].update(lr="much"))
    damaged("phase 1.kind: unknown kind", lambda d: d["phases"].insert(0, 3))


def test_a_damaged_file_of_phases_is_named(tmp_path: Path) -> None:
    for text, message in {"[]": "at least one", "{": "not valid JSON", '{"a": 1}': "expected an object"}.items():
        (tmp_path / rundir.PHASES).write_text(text)
        with pytest.raises((SettingsError, RunError), match=rf"phases\.json: .*{message}"):
            resume_phases(tmp_path, console=QUIET)


def test_nothing_is_written_through_a_link(own: Path) -> None:
    phases = with_fit(own, "return Fitted(tensors={}, evaluation={'x': 1})")
    carried_out(phases, own / "graph")
    (own / "graph/1-fit" / rundir.EVALUATION).unlink()
    (own / "else").mkdir()
    (own / "graph/1-fit" / rundir.SCRATCH).symlink_to(own / "else")
    with pytest.raises(RunError, match="scratch: a link, which is not followed"):
        resume_phases(own / "graph", allow_code=True, console=QUIET)
    (own / "graph/1-fit").rename(own / "elsewhere")
    (own / "graph/1-fit").symlink_to(own / "elsewhere")
    with pytest.raises(RunError, match="1-fit: is a link"):
        resume_phases(own / "graph", allow_code=True, console=QUIET)


def test_a_run_is_not_resumed_as_phases(own: Path, cli: Cli) -> None:
    carried_out((RunPhase(name="net", run=tiny(steps=1)),), own / "run")
    assert (own / "run" / rundir.RUN).is_file()  # a single run needs no folder around it
    words = ("own_phases:net", "--data", "digits", "--recipe", "own_phases:graph")
    code, _, err = cli("train", *words, "--resume", "run")
    assert (code, err) == (2, "resvision: run: is one run, but 4 phases are asked for; name the folder of phases\n")
    with pytest.raises(SettingsError, match="own_phases:graph: is made of 4 phases"):
        compose("own_phases:net", "digits", recipe_name="own_phases:graph")


def test_paths_in_a_graph_hold_from_any_folder(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own / "sets").mkdir()
    (own / "pets").mkdir()
    run = tiny(data__root="sets", model__init_from="net.safetensors", model__encoder_from="torchvision")
    named = replace(fit("sums"), parents={}, data=DataSettings(name="pets", root="sets"))
    monkeypatch.setattr(phases_module, "_carry_out", lambda *args, **options: None)
    launch_phases([RunPhase(name="net", run=run), named], out=Path("graph"), console=QUIET)
    net, sums = graph_from_json(json.loads((own / "graph" / rundir.PHASES).read_text()), allow_code=True)
    assert isinstance(net, RunPhase)
    assert isinstance(sums, FitPhase)
    assert net.run.data == replace(run.data, root=str(own / "sets"))
    assert (net.run.model.init_from, net.run.model.encoder_from) == (str(own / "net.safetensors"), "torchvision")
    assert sums.data == DataSettings(name=str(own / "pets"), root=str(own / "sets"))


def test_a_finished_phase_is_not_scored_again(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(finished.folder, tmp_path / "1-net")
    rundir.write_json(tmp_path / rundir.PHASES, graph_to_json([RunPhase(name="net", run=finished.run)]))
    monkeypatch.setattr(phases_module, "resume", lambda *args, **options: pytest.fail("it is scored again"))
    expected = Outcome(tmp_path / "1-net", finished.scores.summary())
    assert resume_phases(tmp_path, console=QUIET) == expected
    (tmp_path / "1-net" / rundir.EVALUATION).write_text("{}")
    with pytest.raises(RunError, match=r"1-net/evaluation\.json: damaged: .*; delete it to score the run anew"):
        resume_phases(tmp_path, console=QUIET)
