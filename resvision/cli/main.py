"""`resvision`: the table of verbs, and the only code that turns errors into a line and an exit code.

A verb's file imports what it needs only inside its function, so help and listings load no torch; of the verbs, only the
one that is called is loaded.
"""

import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from io import TextIOWrapper
from types import TracebackType
from typing import Any

import typer

from resvision import __version__
from resvision.cli.completion_answers import ASKED, answers
from resvision.cli.groups import HelpfulGroup
from resvision.core.errors import MissingExtraError, ResVisionError, UnknownNameError, is_memory_shortage, unknown_name
from resvision.core.references import load, missing_extra
from resvision.core.terminal import visible_streams

VERBS = {
    "list": "resvision.cli.list:command",
    "inspect": "resvision.cli.inspect:command",
    "data": "resvision.cli.data:command",
    "train": "resvision.cli.train:command",
    "evaluate": "resvision.cli.evaluate:command",
    "predict": "resvision.cli.predict:command",
    "explain": "resvision.cli.explain:command",
    "report": "resvision.cli.report:command",
    "export": "resvision.cli.export:command",
    "convert": "resvision.cli.convert:command",
    "study": "resvision.cli.study:command",
    "runs": "resvision.cli.runs:command",
    "serve": "resvision.cli.serve:command",
    "recipes": "resvision.cli.recipes:command",
    "bench": "resvision.cli.bench:command",
    "settings": "resvision.cli.settings:command",
}

INTERRUPTED = 128 + signal.SIGINT

# The class of every mistake in the command's words, from whichever click typer brings along.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `resvision list | head` ends quietly
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a class name that the terminal cannot show is no reason to end
            stream.reconfigure(errors="backslashreplace")
    sys.excepthook = _show_failure
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code. A ResVisionError becomes one line on standard error.

    Control characters in what it prints are shown as escapes.
    """
    with visible_streams():
        return _run(arguments)


def _run(arguments: list[str]) -> int:
    try:
        if arguments and not arguments[0].startswith("-") and arguments[0] not in VERBS:
            raise _unknown_verb(arguments[0])
        verbs = arguments[:1] if arguments and arguments[0] in VERBS else VERBS
        with answers(os.environ):
            code = application(verbs)(arguments, prog_name="resvision", standalone_mode=False)  # by `python -m`, too
    except ResVisionError as error:
        return _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        missing = missing_extra(error)
        if missing is error:
            raise
        return _fail(str(missing), MissingExtraError.exit_code)
    except UsageError as error:
        verb = f" {arguments[0]}" if arguments and arguments[0] in VERBS else ""
        return _fail(f"{error.format_message()} (see resvision{verb} --help)", 2)  # type: ignore[attr-defined]
    except (MemoryError, RuntimeError) as error:
        if not _asks_for_too_much(error):
            raise
        reason = str(error).partition("\n")[0]
        return _fail(f"too large for this machine: {reason}; choose smaller batches, images or nets", 2)
    except OSError as error:  # what no verb foresees: a process that cannot be started, output that cannot be written
        file = f"{error.filename}: " if error.filename else ""
        return _fail(f"{file}{error.strerror or error}", 2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:  # typer turns an interrupt into this code, without a word
        return _fail("interrupted", INTERRUPTED)
    return int(code or 0)


MEANT = {
    "version": "`resvision --version` prints the version",
    "help": "`resvision --help` lists the verbs, and `resvision VERB --help` the options of one",
    **dict.fromkeys(("onnx", "torchscript"), "`resvision export RUN --to onnx --out FILE` writes a graph"),
    **dict.fromkeys(("config", "configure", "options", "set"), "`resvision settings` lists what --set takes"),
    **dict.fromkeys(("test", "eval", "validate", "score"), "`resvision evaluate RUN` scores a run"),
    **dict.fromkeys(("benchmark", "speed", "time"), "`resvision bench MODEL|RUN|BUNDLE` measures how fast nets are"),
    **dict.fromkeys(("infer", "classify", "segment", "detect"), "`resvision predict RUN IMAGE...` uses a run"),
    **dict.fromkeys(("models", "nets", "zoo", "catalog"), "`resvision list` names the models"),
    **dict.fromkeys(("summary", "info", "describe", "show"), "`resvision inspect MODEL` shows the layers of a model"),
    **dict.fromkeys(("fit", "finetune", "fine-tune", "learn"), "`resvision train MODEL --data DATA` trains"),
    **dict.fromkeys(("resume", "continue"), "`resvision train --resume RUN` goes on with a run"),
    **dict.fromkeys(("plot", "page", "curves"), "`resvision report RUN` writes a page about a run"),
    **dict.fromkeys(("datasets", "dataset"), "`resvision data list` names the data sets"),
    **dict.fromkeys(("check", "verify"), "`resvision data check DATA` looks for faults"),
    **dict.fromkeys(("download", "fetch"), "`resvision data fetch NAME` downloads a data set"),
    **dict.fromkeys(("compare", "ls", "history"), "`resvision runs` lists runs with their scores"),
    **dict.fromkeys(("clean", "prune"), "`resvision runs clean` removes what finished runs do not need"),
    **dict.fromkeys(("server", "http", "deploy", "api", "web"), "`resvision serve BUNDLE` answers HTTP requests"),
    **dict.fromkeys(("gradcam", "cam", "interpret"), "`resvision explain RUN IMAGE...` shows what a net looks at"),
}
"""Answers to words of other tools that are no verbs of ours."""


def _unknown_verb(name: str) -> UnknownNameError:
    """The error for a word that is no verb, with the verb that it means, or those that are spelled like it."""
    if name.lower() in MEANT:
        return UnknownNameError(f"unknown verb {name!r}; {MEANT[name.lower()]}")
    return unknown_name("verb", name, VERBS, remedy="`resvision --help` lists all")


def application(verbs: Iterable[str] = VERBS) -> typer.Typer:
    """The command line with these of its verbs; to a shell that asks for completions, they give words."""
    app = typer.Typer(
        name="resvision",
        help="Residual learning and the vision systems that stand on it.",
        cls=HelpfulGroup,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    for name in verbs:
        verb = load(VERBS[name], noun="verb")
        if ASKED in os.environ:
            _attach_completions(verb)
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=name)
        else:
            app.command(name)(verb)
    return app


def _attach_completions(verb: Any) -> None:
    from resvision.cli import completion  # its words are in tables that no other command needs

    commands = [row.callback for row in verb.registered_commands] if isinstance(verb, typer.Typer) else [verb]
    for command in filter(None, commands):
        completion.attach(command)


def _asks_for_too_much(error: Exception) -> bool:
    """Whether numpy or torch failed for lack of memory, or by a size beyond 64 bits."""
    return is_memory_shortage(error) or "size calculation overflowed" in str(error)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"resvision {__version__}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", help="Print the version and leave.", is_eager=True, callback=_print_version
    ),
) -> None:
    """The options before the verb."""


def _show_failure(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of an error of ours that no verb foresees; names in its message are a stranger's too."""
    with visible_streams():
        sys.__excepthook__(kind, error, trace)


def _fail(message: str, code: int) -> int:
    with suppress(OSError):  # of a terminal that is gone: the exit code still tells
        print(f"resvision: {' '.join(message.split())}", file=sys.stderr)
    return code
