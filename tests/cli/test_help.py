import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from resvision.cli.main import MEANT, VERBS, application

Cli = Callable[..., tuple[int, str, str]]


def walk(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for word, below in getattr(command, "commands", {}).items():
        yield from walk(below, f"{name} {word}".strip())


SAID = re.compile(
    "(Add|Answer|Ask|Build|Change|Check|Clean|Compare|Compile|Compute|Convert|Count|Cross-validate|Decode|Download|Draw|End|Evaluate"
    "|Explain|Export|Favour|Give|Go|Hold|Import|Install|Lay|Leave|Let|List|Listen|Look|Measure|Name|Normalize|Order|Predict|Print|Read|Remove|Resize"
    "|Run|Say|Search|Serve|Set|Show|Start|Store|Take|Test|Train|Try|Turn|Use|Write)[ ,:].* .*([.?]|digits)"
)
"""What a verb, an argument or an option does, as the first word of its help."""


def test_the_help_of_every_verb_and_every_option_is_a_whole_sentence() -> None:
    faults = []
    for name, command in walk(typer.main.get_command(application()), ""):
        texts = {f"{name} {one.name}": getattr(one, "help", None) for one in command.params}
        if name:  # the help of all tells what ResVision is
            texts[name] = command.help
        for place, text in texts.items():
            if not SAID.fullmatch(" ".join((text or "").split())):
                faults.append((place, text))
    assert not faults


@pytest.mark.parametrize("words", [(), ("data",), ("study",)])
def test_a_group_without_words_shows_its_help(words: tuple[str, ...], cli: Cli) -> None:
    assert cli(*words) == cli(*words, "--help")
    code, out, err = cli(*words)
    assert (code, err) == (0, "")
    assert "Commands:" in out


def test_no_line_of_the_list_of_verbs_is_cut(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    pages = [cli(*words)[1] for words in ((), ("data",), ("study",), ("runs", "--help"))]
    assert not [line for page in pages for line in page.splitlines() if line.startswith("  ") and line.endswith("...")]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("version", "`resvision --version`"),
        ("Export", "nearest: export"),
        ("config", "`resvision settings`"),
        ("validate", "`resvision evaluate RUN`"),
        ("classify", "`resvision predict"),
        ("models", "`resvision list`"),
        ("fit", "`resvision train"),
        ("trian", "nearest: train"),
    ],
)
def test_an_unknown_verb_gets_the_one_that_is_meant(word: str, said: str, cli: Cli) -> None:
    code, _, err = cli(word)
    assert (code, said in err) == (2, True), err


def test_verbs_are_meant_that_are_there() -> None:
    meant = {verb for text in MEANT.values() for verb in re.findall(r"`resvision ([a-z]+)", text)}
    assert meant <= VERBS.keys()
    assert not VERBS.keys() & MEANT.keys()
