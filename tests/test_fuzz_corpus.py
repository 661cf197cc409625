"""Parsers accept whole files and refuse mutants of them: the fuzzers of `benchmarks`, each for a fraction of a second.

Inputs that were findings once are in `tests/corpus`, in a folder for each target, and are read first.
"""

import json
import os
import subprocess
import sys
from mmap import mmap
from pathlib import Path
from typing import Any

import fuzz_all
import fuzzing
import numpy as np
import pytest
from fuzzing import Answer, Target, answer
from mutations import mutated_json, written_json

from resvision.core.errors import DataError

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MUTANTS = 40
NAMES = [target.name for target in fuzz_all.TARGETS]


@pytest.fixture(scope="module")
def tallies() -> dict[str, dict[str, Any]]:
    """What became of the inputs of each target."""
    words = [sys.executable, str(BENCHMARKS / "fuzz_all.py"), "--inputs", str(MUTANTS), "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True)
    return {tally["name"]: tally for tally in json.loads(done.stdout)}


@pytest.mark.parametrize("name", NAMES)
def test_every_mutant_is_accepted_or_refused(name: str, tallies: dict[str, dict[str, Any]]) -> None:
    tally = tallies[name]
    assert tally["findings"] == {}
    assert tally["stderr_lines"] == 0
    assert tally["accepted"] + tally["refused"] == tally["tried"] > MUTANTS
    assert tally["refused"] > 0 or name == "cached checks"


def test_no_input_of_the_corpus_lies_in_a_folder_that_no_target_reads() -> None:
    read = {path for target in fuzz_all.TARGETS for path in (fuzzing.CORPUS / target.folder).glob("*")}
    assert read == {path for path in fuzzing.CORPUS.rglob("*") if path.is_file()}


# ---------------------------------------------------------------------------------------------- the harness


def outcome_of(read: Any, tmp_path: Path, **options: Any) -> Answer:
    return answer(Target(name="it", seeds=lambda: [b"x"], read=read, **options), b"x", tmp_path)


def refusing(data: bytes, folder: Path) -> None:
    raise DataError("a.png: not a whole image")


def signalling(data: bytes, folder: Path) -> None:
    raise DataError("\x1b[2J: not a whole image")


def waiting(data: bytes, folder: Path) -> None:
    while True:
        pass


def test_an_answer_is_told_by_what_the_parser_raises(tmp_path: Path) -> None:
    assert outcome_of(lambda data, folder: None, tmp_path) == Answer("accepted")
    assert outcome_of(refusing, tmp_path) == Answer("refused", "a.png: not a whole image", "a.png: not a whole image")
    crash = outcome_of(lambda data, folder: {}[0], tmp_path)
    assert (crash.outcome, crash.text) == ("crashed", "0")
    assert "test_fuzz_corpus.py:" in crash.kind
    assert outcome_of(signalling, tmp_path).outcome == "crashed"
    assert outcome_of(waiting, tmp_path, seconds=0.05).outcome == "hung"


def test_a_process_that_dies_or_takes_too_much_memory_is_a_finding_and_the_next_input_is_read() -> None:
    def read(data: bytes, folder: Path) -> None:
        if data == b"end":
            os._exit(3)
        if data == b"much":
            with mmap(-1, 2**27) as fresh:  # the heap may have as much left over from other tests
                for page in range(0, 2**27, 4096):
                    fresh[page] = 1

    target = Target(name="it", seeds=lambda: [b"x"], read=read, mutate=lambda corpus, draws: next(inputs), memory_mb=32)
    inputs = iter([b"end", b"much", b"x"])
    tally = fuzzing.fuzz(target, seconds=60, inputs=3, seed=0, save=None)
    assert (tally.tried, tally.accepted, tally.crashed) == (4, 2, 2)
    assert list(tally.findings) == ["ends the process with 3", "takes more than 32 MB"]
    assert tally.largest_mb > 100


def test_a_document_without_a_change_is_written_as_it_was() -> None:
    tree = {"a": [1, 2.5, None, True], "b": {"c": "d"}, "": []}
    assert json.loads(written_json(tree)) == tree


def test_mutants_of_json_are_as_the_seed_of_the_draws_says() -> None:
    document = json.dumps({"a": [1, 2], "b": "c"}).encode()
    mutants = [[mutated_json([document], np.random.default_rng([seed, n])) for n in range(50)] for seed in (0, 0, 1)]
    assert mutants[0] == mutants[1] != mutants[2]
    assert len({*mutants[0]}) > 30
