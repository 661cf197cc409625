"""A training as a graph of phases: runs and fits, each of which may stand on the results of earlier ones.

A recipe gives its phases as a tuple, parents before their children. This module has the settings of phases, their JSON,
and the inputs and results of the functions of fits; `phases` carries them out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor

from resvision.core import references, rundir
from resvision.core.errors import SettingsError, unknown_name
from resvision.core.settings import Scalar, from_json, to_json
from resvision.run import DataSettings, Run, code_in_run, refuse_code, run_from_json
from resvision.training.checkpoints import result_weights

FORMAT = 2
"""The format of phases.json. The first was a bare list of Runs, each starting with the result of the one before it."""

FIT_OPTIONS = {
    "resvision.fits.features:linear_svm": "resvision.fits.features:SvmOptions",
    "resvision.fits.features:ridge_classifier": "resvision.fits.features:RidgeOptions",
    "resvision.fits.features:feature_clusters": "resvision.fits.features:KmeansOptions",
    "resvision.fits.regions:region_svms": "resvision.fits.regions:RegionSvmOptions",
    "resvision.fits.regions:region_boxes": "resvision.fits.regions:RegionBoxOptions",
    "resvision.fits.proposals:region_proposals": "resvision.fits.proposals:ProposalOptions",
}
"""The options of each fit of this package, by which they are checked before the first phase."""

FITS = tuple(FIT_OPTIONS)
"""The functions of this package that a fit may name without `--allow-code`."""

_MOVED = {"resvision.feature_fits": "resvision.fits.features"}
"""The modules of fits by the names that they had in phases of earlier versions."""

Name = Annotated[str, Meta(pattern=r"^\w[\w.-]{0,99}\Z", description="letters, digits, `_`, `.` and `-`")]
Options = TypeVar("Options")


@dataclass(frozen=True, kw_only=True)
class RunPhase:
    """A phase that is a run.

    init_from     the phase whose weights the whole net starts with, in place of those that the run itself names
    encoder_from  the phase whose weights the net's encoder starts with, likewise; it has the last word over the encoder
    proposals     the fit whose tensors are the regions that the net is trained on
    """

    name: Name
    run: Run
    init_from: Name | None = None
    encoder_from: Name | None = None
    proposals: Name | None = None
    kind: Literal["run"] = "run"

    @property
    def parents(self) -> dict[str, str]:
        """The names of the parent phases by their roles."""
        given = {"init_from": self.init_from, "encoder_from": self.encoder_from, "proposals": self.proposals}
        return {role: name for role, name in given.items() if name is not None}


@dataclass(frozen=True, kw_only=True)
class FitPhase:
    """A phase that is a function: it gives weights and figures, such as an SVM on the features of a run.

    fit      the function, as `package.module:function`; it takes FitInputs and gives Fitted
    parents  names of earlier phases by the roles that the function knows
    options  settings of the function
    data     the data set that it reads where no parent names one
    """

    name: Name
    fit: str
    parents: dict[str, Name] = field(default_factory=dict)
    options: dict[str, Scalar] = field(default_factory=dict)
    data: DataSettings | None = None
    kind: Literal["fit"] = "fit"


Phase = RunPhase | FitPhase

KINDS: dict[str, type[RunPhase] | type[FitPhase]] = {"run": RunPhase, "fit": FitPhase}


@dataclass(frozen=True, kw_only=True)
class FitInputs:
    """The inputs of the function of a fit.

    parents           the parents' folders by role
    scratch           a folder of its own that is kept until the fit is done: files that the function leaves there are
                      there again when it goes on after a stop. `rundir.write_bytes` leaves no file half written
    leave_if_stopped  leaves by Stopped once a stop signal has come. Until the first call a signal interrupts at once,
                      from then on it waits for the next
    allow_code        whether code of a user's own may be imported that a parent names
    """

    parents: Mapping[str, Path]
    options: Mapping[str, Scalar]
    data: DataSettings | None
    scratch: Path
    console: Console
    leave_if_stopped: Callable[[], None]
    allow_code: bool

    def parent(self, role: str) -> Path:
        """The folder of the parent in a role; SettingsError where the phase names none."""
        if role not in self.parents:
            named = f"it names {', '.join(self.parents)}" if self.parents else "it names none"
            raise SettingsError(f"parents: the fit needs a phase as {role!r}, {named}")
        return self.parents[role]

    def weights(self, role: str) -> Path:
        """The safetensors file of a parent's result; SettingsError where the phase names no such parent."""
        return phase_weights(self.parent(role))

    def read_options(self, options_type: type[Options]) -> Options:
        """Read the options as a dataclass of settings; missing ones take defaults. SettingsError for unknown ones."""
        return fit_options(options_type, self.options, at="options")


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The results of the function of a fit.

    tensors     by name; they become weights.safetensors
    evaluation  figures by name, such as `top1_error`; they become evaluation.json
    """

    tensors: Mapping[str, NDArray[Any] | Tensor]
    evaluation: Mapping[str, float]


def fit_options(options_type: type[Options], given: Mapping[str, Scalar], *, at: str) -> Options:
    """The options of a fit as a dataclass; missing ones take defaults. SettingsError for unknown or wrong ones."""
    return from_json(options_type, {**to_json(options_type()), **given}, at=at)


def phase_weights(folder: Path) -> Path:
    """The safetensors file that is the result of a phase, a run or a fit."""
    return folder / rundir.WEIGHTS if (folder / rundir.FIT).is_file() else result_weights(folder)


def folder_name(number: int, name: str) -> str:
    """The name of the folder of phase number `number`, counted from 1."""
    return name if name.startswith(f"{number}-") else f"{number}-{name}"


def chain(runs: Sequence[Run]) -> tuple[RunPhase, ...]:
    """Chain runs into phases, each of which starts with the result of the one before it and is named as its folder."""
    names = [f"{n}-{Path(run.model.name.replace(':', '.')).name}" for n, run in enumerate(runs, start=1)]
    return tuple(
        RunPhase(name=name, run=run, init_from=before)
        for name, run, before in zip(names, runs, [None, *names], strict=False)
    )


def checked_phases(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """The phases themselves, once they have passed the checks of reading them.

    Raises SettingsError where there are none, two have one name, or a parent is not among the phases before its child.
    """
    if not phases:
        raise SettingsError("phases: there must be at least one")
    names: list[str] = []
    for phase in phases:
        _phase_from_json(to_json(phase), at=f"phase {phase.name!s:.60}")
        if phase.name in names:
            raise SettingsError(f"phase {phase.name}: there are two of this name; give each its own")
        for role, parent in phase.parents.items():
            if parent not in names:
                earlier = ", ".join(names) or "none"
                raise SettingsError(f"phase {phase.name}: {role} is {parent!r}, but the phases before it are {earlier}")
        names.append(phase.name)
    return tuple(phases)


def graph_to_json(phases: Sequence[Phase]) -> dict[str, Any]:
    """The content of phases.json."""
    return {"format": FORMAT, "phases": [to_json(phase) for phase in phases]}


def graph_from_json(data: Any, *, allow_code: bool = False) -> tuple[Phase, ...]:
    """Read the phases in the content of phases.json, also of the first format.

    Raises SettingsError, and RunError where a phase names code of a user's own and `allow_code` is not given.
    """
    data = _with_moved(data)
    if not allow_code:
        refuse_code(_code_in(data))
    if isinstance(data, list):
        runs = [run_from_json(run, allow_code=True, at=f"run {n}") for n, run in enumerate(data, start=1)]
        return checked_phases(chain(runs))
    if not isinstance(data, dict) or not isinstance(data.get("phases"), list) or set(data) != {"format", "phases"}:
        raise SettingsError("expected an object of `format` and `phases`")
    if data["format"] != FORMAT:
        raise SettingsError(f"format {data['format']!r:.60}, this version of resvision reads {FORMAT}")
    return checked_phases([_phase_from_json(phase, at=f"phase {n}") for n, phase in enumerate(data["phases"], start=1)])


def _with_moved(data: Any) -> Any:
    """The content of phases.json with fits under their present names; damaged data pass, for the reader to refuse."""
    if not isinstance(data, dict) or not isinstance(data.get("phases"), list):
        return data
    phases = [
        {**phase, "fit": _present_name(phase["fit"])}
        if isinstance(phase, dict) and isinstance(phase.get("fit"), str)
        else phase
        for phase in data["phases"]
    ]
    return {**data, "phases": phases}


def _present_name(fit: str) -> str:
    module, colon, function = fit.partition(":")
    return _MOVED.get(module, module) + colon + function


def _phase_from_json(data: Any, *, at: str) -> Phase:
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise SettingsError(f"{at}.kind: {unknown_name('kind', str(kind)[:60], KINDS)}")
    phase = from_json(KINDS[kind], data, at=at)
    if isinstance(phase, FitPhase) and not references.is_reference(phase.fit):
        raise SettingsError(f"{at}.fit: {phase.fit!r:.60}; name a function as package.module:function")
    return phase


def with_parents(phase: RunPhase, weights: Mapping[str, Path]) -> Run:
    """The run of a phase on the results of its parents, safetensors files by their roles."""
    model, data = phase.run.model, phase.run.data
    init_from, encoder_from, proposals = (weights.get(role) for role in ("init_from", "encoder_from", "proposals"))
    if init_from is not None:  # the encoder is in there too, whatever the run itself names for it
        model = replace(model, init_from=str(init_from), encoder_from=None)
    if encoder_from is not None:
        model = replace(model, encoder_from=str(encoder_from))
    if proposals is not None:
        data = replace(data, proposals=str(proposals))
    return replace(phase.run, model=model, data=data)


def _code_in(data: Any) -> list[str]:
    """The user's own code, as `package.module:function`, that the plain data of a graph name."""
    runs = data if isinstance(data, list) else ()
    phases = data.get("phases") if isinstance(data, dict) else [{"run": run} for run in runs]
    code: list[str] = []
    for phase in phases if isinstance(phases, list) else ():
        if isinstance(phase, dict):
            ours = {"fit"} if isinstance(phase.get("fit"), str) and is_ours(phase["fit"]) else set()
            rest = {key: value for key, value in phase.items() if key not in {"run", *ours}}
            code += code_in_run(phase.get("run")) + code_in_run(rest)
    return code


def is_ours(fit: str) -> bool:
    """Whether the function of a fit is part of this package."""
    return fit in FITS
