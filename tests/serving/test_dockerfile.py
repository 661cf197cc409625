"""The Dockerfile, read line by line: what it installs and copies is there, and what it starts answers."""

import json
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from serving.running import running

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "matplotlib", "onnx", "nncf")


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their words, lines that go on joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines)]


def words_of(wanted: str) -> list[str]:
    return [words for name, words in instructions() if name == wanted]


def test_it_installs_extras_that_there_are_and_none_brings_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (install,) = (words for words in words_of("RUN") if "pip install" in words)
    found = re.search(r"pip install --no-cache-dir --constraint constraints\.txt '\.\[([a-z0-9,]+)\]'", install)
    assert found is not None, install
    extras = found[1].split(",")
    assert {"serve", "openvino"} <= {*extras} <= {*project["optional-dependencies"]}
    needs = [need for extra in extras for need in project["optional-dependencies"][extra]]
    assert not [need for need in needs if re.split(r"[\[<>=!~ ]", need)[0] in {*HEAVY, "resvision"}]


def test_its_python_is_one_that_the_package_takes() -> None:
    bases = {words.removesuffix(" AS build") for words in words_of("FROM")}
    (version,) = re.findall(r"python:3\.(\d+)-slim", "\n".join(bases))
    assert len(bases) == 1
    assert int(version) >= 11


def test_what_it_copies_is_there_and_not_ignored() -> None:
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert rules[0] == "*"
    kept = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    copied = [word for words in words_of("COPY") if "--from=" not in words for word in words.split()[:-1]]
    assert sorted(copied) == sorted(kept)
    assert all((ROOT / name).exists() for name in copied)
    assert any(fnmatch("resvision/core/__pycache__", rule) for rule in rules[1:])


def test_it_runs_as_nobody_special_and_keeps_graphs_where_that_user_may_write() -> None:
    (user,) = words_of("USER")
    assert user not in ("root", "0")
    (make,) = (words for words in words_of("RUN") if "useradd" in words)
    assert make.split("&&")[0].split()[-1] == user
    (environment,) = words_of("ENV")
    (cache,) = re.findall(r"XDG_CACHE_HOME=(\S+)", environment)
    assert re.search(rf"--owner {user} .*{cache}$", make)


def test_its_command_answers_its_health_check(digits: Path, tmp_path: Path) -> None:
    (entry,) = words_of("ENTRYPOINT")
    program, verb, *words = json.loads(entry)
    assert (program, verb) == ("resvision", "serve")
    assert words[:2] == ["--host", "0.0.0.0"]  # noqa: S104 - said aloud, since the usual address is not reached there
    (check,) = words_of("HEALTHCHECK")
    python, *code = json.loads(check.partition("CMD ")[2])
    assert python == "python"
    assert f"'127.0.0.1', {words[3]}," in code[-1]
    with running(*words, digits, cache=tmp_path) as server:
        healthy = [word.replace(words[3], str(server.port)) for word in code]
        assert subprocess.run([sys.executable, *healthy], check=False).returncode == 0
    assert server.process.returncode == 0
    assert subprocess.run([sys.executable, *healthy], check=False, stderr=subprocess.DEVNULL).returncode != 0


@pytest.mark.parametrize("line", (ROOT / "docs" / "serving.md").read_text(encoding="utf-8").split("docker run")[1:])
def test_the_commands_of_the_page_mount_the_cache_that_it_names(line: str) -> None:
    command = line.partition("\n```")[0]
    assert "--read-only" not in command or ("--tmpfs /tmp" in command and ":/cache" in command)
