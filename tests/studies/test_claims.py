"""The claims book: every wrong line of the notes has its row, numbers are computed, verdicts follow from results."""

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.main import get_command

from resvision import catalog
from resvision.catalog.table import find as find_model
from resvision.classification.resnet import BasicBlock, Bottleneck
from resvision.cli.main import application
from resvision.core.errors import RunError, UnknownNameError
from resvision.data import sets
from resvision.papers.results import BOXES, ENSEMBLES, RESULTS
from resvision.probes.count import count
from resvision.studies.claims import phrases
from resvision.studies.claims.book import table, write_book
from resvision.studies.claims.decisions import Decision, decide, figures_of
from resvision.studies.claims.entries import LANGUAGES, NOTES, Bound, Check, Entry, StudyClaims, entries, find, lines_of
from resvision.studies.claims.evidence import read_folder, values_of
from resvision.studies.claims.figures import FIGURES, figure_named
from resvision.studies.claims.sources import SOURCES, with_links
from resvision.studies.design import Value
from resvision.studies.results import Member, Results, write_results
from resvision.studies.table import STUDIES, design_of

Cli = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).parents[2]
BOOKS = {"en": ROOT / "docs/claims.md", "ko": ROOT / "docs/claims.ko.md"}

WRONG_OR_HALF_RIGHT = {
    "000": (9, 11, 21, 23, 30, 36, 53, 58, 59, 61, 68, 78, 84, 89, 90, 92, 107, 110),
    "001": (51, 56, 81, 94),
    "002": (40, 75, 76, 88, 89, 102, 119, 168, 171, 181, 219, 234, 237, 246, 264),
    "003": (30, 34, 41, 43, 51, 52),
    "004": (29, 43, 50, 58, 64, 67, 68, 85, 86, 121, 129, 135, 136, 142, 146, 147),
}
"""Lines of the notes that say something wrong, or right in part, against the papers."""

RIGHT = {
    "000": (7, 103),
    "001": (11, 61, 70, 77, 82),
    "002": (42, 87, 209, 224, 251, 262),
    "004": (29, 77, 91, 95, 102, 112, 136),
}
"""Lines that are right as they stand, wholly or in part."""

LINES = {"000": 130, "001": 97, "002": 297, "003": 59, "004": 148}
"""The number of lines of each note."""


@cache
def command_line() -> Any:
    return get_command(application())


BY_ID = {entry.id: entry for entry in entries()}
CHECKED = [entry for entry in entries() if entry.check is not None]
STUDIED = [entry for entry in entries() if entry.study is not None]


@pytest.mark.parametrize(
    "place", [f"{note}:{line}" for lines in (WRONG_OR_HALF_RIGHT, RIGHT) for note in lines for line in lines[note]]
)
def test_a_line_that_is_known_to_be_wrong_or_right_has_a_row(place: str) -> None:
    assert find(place)


@pytest.mark.parametrize("place", ["000:58", "002:168", "002:171", "002:246", "003:41", "003:34", "001:51", "002:234"])
def test_a_wrong_line_is_answered_with_the_fact(place: str) -> None:
    wrong = [entry for entry in find(place) if decide(entry, []).word == "wrong"]
    assert wrong
    assert all(entry.en.fact and entry.ko.fact for entry in wrong)


def test_places_are_lines_of_the_notes() -> None:
    for entry in entries():
        for note, first, last in map(lines_of, entry.places):
            assert 1 <= first <= last <= LINES[note], entry.id


def test_there_are_rows_for_all_notes_each_of_an_id_of_its_own() -> None:
    assert len(entries()) >= 45
    assert len(BY_ID) == len(entries())
    assert {lines_of(place)[0] for entry in entries() for place in entry.places} == {*NOTES} == {*phrases.NOTES}


@pytest.mark.parametrize("entry", entries(), ids=BY_ID)
def test_a_row_is_whole_in_both_languages(entry: Entry) -> None:
    for language in LANGUAGES:
        words = entry.words(language)
        assert words.claim
        assert "https://" in with_links(words.papers)
        assert bool(words.shown) == (entry.check is not None)
        assert bool(words.fact) == bool(entry.en.fact)
        assert not words.fact or not words.fact.startswith("**")
    assert re.search("[가-힣]", entry.ko.claim)
    assert not re.search("[가-힣]", f"{entry.en}")
    assert set(re.findall(r"@\w+?(?=[^a-z0-9])", f"{entry.en.papers} ")) == set(
        re.findall(r"@[a-z0-9]+", entry.ko.papers)
    )


def test_a_wrong_row_or_one_that_is_right_in_part_says_what_is_right() -> None:
    silent = [
        entry.id
        for entry in entries()
        if entry.study is None and decide(entry, []).word != "right" and not entry.en.fact
    ]
    assert silent == []


def test_all_papers_are_named_by_some_row() -> None:
    named = {name for entry in entries() for name in re.findall(r"@([a-z0-9]+)", entry.en.papers + entry.en.fact)}
    assert named == {*SOURCES}


@pytest.mark.parametrize("entry", CHECKED, ids=lambda entry: entry.id)
def test_numbers_of_a_check_fill_both_languages_alike(entry: Entry) -> None:
    assert entry.check is not None
    shown = {language: entry.words(language).shown.format(**figures_of(entry.check)) for language in LANGUAGES}
    numbers = [sorted(re.findall(r"\d[\d,.]*\d|\d", text)) for text in shown.values()]
    assert numbers[0]
    assert set(numbers[0]) & set(numbers[1])
    fields = [set(re.findall(r"{([\w.]+)", entry.words(language).shown)) for language in LANGUAGES]
    assert fields[0] == fields[1]


def test_every_function_of_figures_decides_a_row() -> None:
    used = {entry.check.figures for entry in CHECKED if entry.check and isinstance(entry.check.figures, str)}
    assert used == {*FIGURES}


def test_a_check_is_right_in_part_where_part_of_it_holds() -> None:
    words = []
    for says in ([("a", "<", "b")], [("a", "<", "b"), ("a", "=", 2)], [("a", "=", 2)]):
        check = Check(by="arithmetic", figures={"a": 1.0, "b": 3.0}, says=tuple(says))  # type: ignore[arg-type]
        words.append(decide(_entry(check=check), []).word)
    assert words == ["right", "partly right", "wrong"]


def test_an_entry_has_one_thing_that_decides_it() -> None:
    with pytest.raises(ValueError, match="decided by 0"):
        _entry()


def test_weights_of_blocks_are_those_of_the_nets_blocks() -> None:
    figures = FIGURES["block_weights"]()
    with torch.device("meta"):
        basic, bottleneck = BasicBlock(64, channels=64), Bottleneck(256, channels=64)
    weights = [sum(p.numel() for p in block.parameters() if p.dim() == 4) for block in (basic, bottleneck)]
    assert weights == [figures["basic"], figures["bottleneck"]] == [73_728, 69_632]
    assert figures["wide_basic"] == 1_179_648


@pytest.mark.parametrize(
    ("function", "figure", "value"),
    [
        ("shortcut_costs", "b", 173_824),
        ("shortcut_costs", "b_18", 173_824),
        ("shortcut_costs", "c", 1_092_992),
        ("path_lengths", "mean", 27),
        ("path_lengths", "effective", 0.00453667),
        ("path_lengths", "middle", 0.980166),
        ("net_counts", "plain18.params", 11_515_688),
        ("lenet", "c3", 1_516),
        ("lenet", "total", 60_000),
        ("alexnet", "ungrouped", 62_378_344),
        ("vgg_of_the_slide", "written", 138_357_544),
        ("layers", "resnet152", 152),
        ("pyramid_lengths", "length_13x13", 12_800),
        ("unet_sides", "out", 388),
        ("atrous_fields", "field_18", 37),
        ("convolutionalized_layers", "fc6_weights", 102_760_448),
        ("printed_multiply_adds", "as_macs", 5),
    ],
)
def test_figures_have_their_known_values(function: str, figure: str, value: float) -> None:
    assert figure_named(FIGURES[function](), figure) == pytest.approx(value, rel=1e-5)


def test_receptive_fields_are_those_of_the_probe() -> None:
    figures = FIGURES["halved_maps"]()
    for name, stride in (("field_without", 1), ("field_with", 2)):
        convs = [torch.nn.Conv2d(3, 3, 3, padding=1, stride=stride if i == 0 else 1) for i in range(4)]
        assert count(torch.nn.Sequential(*convs), (3, 64, 64)).receptive_field == figures[name]


def test_numbers_that_rows_repeat_are_those_of_the_tables() -> None:
    figures = {entry.id: entry.check.figures for entry in CHECKED if entry.check}
    errors = {row.net: row for row in RESULTS if "table 4" in row.source and "1512.03385" in row.source}
    assert figures["error-of-357"] == {"single": errors["resnet152_v1"].top5, "ensemble": 3.57, "nets": 6}
    assert [row.top5 for row in ENSEMBLES if row.name == "ResNet"] == [3.57]
    assert errors["prelunet_c"].percents == {"top1_error": 21.59, "top5_error": 5.71}
    others: Any = figures["others-in-table-4"]
    assert (others["prelu_top1"], others["prelu_top5"]) == (21.59, 5.71)
    assert others["googlenet_top5"] in [row.top5 for row in RESULTS if row.net == "googlenet_2014"]
    known: Any = {row.net: row.top1 for row in RESULTS if row.data == "cifar10" and "table 2" in row.source}
    placed: Any = figures["best-placement-is-known"]
    assert (placed["full"], placed["full_110"]) == (known["preresnet164"], known["preresnet110"])
    stages: Any = figures["one-stage-is-less-accurate"]
    nets = {"yolo": "yolov1", "faster": "faster_rcnn_vgg16", "ssd": "ssd300_vgg16", "refinedet": "refinedet320"}
    assert all(stages[name] in [row.voc07 for row in BOXES if row.net == net] for name, net in nets.items())
    assert {row.net: row.top1 for row in RESULTS if row.scales == (256,)}.items() >= {
        ("vgg11", figures["alexnet-tricks"]["vgg11"]),  # type: ignore[index]
        ("vgg11_lrn", figures["alexnet-tricks"]["vgg11_lrn"]),  # type: ignore[index]
    }


def test_a_list_that_decides_a_row_shows_its_numbers(cli: Cli) -> None:
    listed = [entry for entry in CHECKED if entry.check and entry.command.startswith("resvision list")]
    assert listed
    for entry in listed:
        assert entry.check is not None
        shown = cli(*shlex.split(entry.command)[1:], "--wide")[1]
        named = {side for one, _, other in entry.check.says for side in (one, other) if isinstance(side, str)}
        missing = {name for name in named if str(figure_named(figures_of(entry.check), name)) not in shown}
        assert not missing, entry.id


def test_a_korean_particle_after_a_citation_agrees_with_the_year() -> None:
    ends_in_vowel = "2459"  # as they are read: 이, 사, 오, 구
    after = {"은": False, "는": True, "이": False, "가": True, "을": False, "를": True, "과": False, "와": True}
    for entry in entries():
        for text in (entry.ko.papers, entry.ko.fact):
            for digit, particle in re.findall(r"(\d)\]\([^)]*\)([은는이가을를과와])(?=[ ,.])", with_links(text)):
                assert after[particle] == (digit in ends_in_vowel), f"{entry.id}: {digit}{particle}"


@pytest.mark.parametrize("entry", entries(), ids=BY_ID)
def test_the_command_of_a_row_is_one_that_the_command_line_takes(entry: Entry) -> None:
    words = shlex.split(entry.command)
    assert words.pop(0) == "resvision"
    command = command_line()
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert not getattr(command, "commands", {}), "a verb, and no group"
    given = command.make_context(entry.command, words).params
    models = given.get("models") or ()
    assert all(catalog.find(model) for model in models)
    for name in given.get("named") or ():
        assert entry in find(name)
    if entry.command.startswith("resvision data check "):
        assert entry.command.split()[-1] in sets.names()


@pytest.mark.parametrize(
    "command",
    sorted({entry.command for entry in entries() if re.match(r"resvision (list|recipes)\b", entry.command)}),
)
def test_a_quick_command_of_a_row_does_what_it_is_there_for(command: str, cli: Cli) -> None:
    code, out, err = cli(*shlex.split(command)[1:])
    assert (code, err) == (0, "")
    assert out


def test_the_studies_of_the_table_decide_rows_and_no_others_do() -> None:
    assert {entry.study.name for entry in STUDIED if entry.study} == STUDIES.keys()


@pytest.mark.parametrize("entry", STUDIED, ids=lambda entry: entry.id)
def test_claims_that_a_row_names_are_in_the_design(entry: Entry) -> None:
    assert entry.study is not None
    texts = {claim.text for claim in design_of(STUDIES[entry.study.name]).claims}
    assert {bound.text for bound in entry.study.claims} <= texts


@pytest.mark.parametrize("entry", STUDIED, ids=lambda entry: entry.id)
def test_figures_that_decide_a_row_have_names_in_both_languages(entry: Entry) -> None:
    assert entry.study is not None
    texts = {bound.text for bound in entry.study.claims}
    claims = [claim for claim in design_of(STUDIES[entry.study.name]).claims if claim.text in texts]
    sides = [side for claim in claims for side in (claim.smaller, claim.larger) if isinstance(side, Value)]
    assert {side.figure for side in sides} <= {*phrases.FIGURES, "trained", "tested"}


def imagined(name: str) -> Results:
    """Results of a study whose figures are the places of their conditions, and rise a little with the seed."""
    design = design_of(STUDIES[name])
    figures = {side.figure for claim in design.claims for side in values_of(claim)}
    members = [
        Member(
            condition=condition.name,
            seed=seed,
            folder=condition.name,
            figures=dict.fromkeys(figures, place + 0.01 * seed * (place + 1)),
            task=find_model(condition.model).task,
            data=condition.data or design.data,
        )
        for place, condition in enumerate(design.conditions)
        for seed in range(3)
    ]
    return replace(results(*WORSE), study=name, members=tuple(members))


@pytest.mark.parametrize("entry", STUDIED, ids=lambda entry: entry.id)
def test_results_of_a_study_decide_and_fill_the_rows_that_name_it(entry: Entry) -> None:
    assert entry.study is not None
    decision = decide(entry, [imagined(entry.study.name)])
    assert decision.word in {"supported", "contradicted", "undecided"}
    for language in LANGUAGES:
        told = decision.shown(language)
        assert told.count("±") >= len(entry.study.claims)
        assert "nan" not in told
        assert not re.search(r"`[\w-]+\.[\w-]+`", told), "figures are named in words"
    assert re.search("[가-힣]", decision.shown("ko"))


PLAIN, DEEPER = "plain20", "plain56"
HIGHER = "plain56 has a higher training loss than plain20"


def results(plain: list[float], deeper: list[float], *, data: str = "digits", quick: bool = False) -> Results:
    figures = {PLAIN: plain, DEEPER: deeper, "resnet20": plain, "resnet56": deeper}
    members = tuple(
        Member(condition=name, seed=seed, folder=f"{name}-{seed}", figures={"loss": loss, "tested": loss})
        for name, losses in figures.items()
        for seed, loss in enumerate(losses)
    )
    return Results(
        format=1,
        study="degradation",
        data=data,
        task="classification",
        quick=quick,
        date="2026-11-28",
        machine="a machine",
        settings={
            "model": {"options": {"width": 8}},
            "training": {"duration": "3 epochs"},
            "data": {"train_images": 50_000, "train_limit": 10_000, "image_size": 16},
        },
        members=members,
    )


WORSE, BETTER, ALIKE = ([0.1, 0.11, 0.12], [0.3, 0.32, 0.31]), ([0.3, 0.32, 0.31], [0.1, 0.11, 0.12]), ([0.1] * 3,) * 2

OPPOSITE = Bound(HIGHER, when_supported="contradicted", when_contradicted="supported")
REFUTES_ONLY = Bound(HIGHER, when_supported="contradicted", when_contradicted="undecided")
EITHER_WAY = Bound(HIGHER, when_contradicted="supported")


@pytest.mark.parametrize(
    ("measured", "bound", "word"),
    [
        ([], Bound(HIGHER), "not measured"),
        ([results(*WORSE)], Bound(HIGHER), "supported"),
        ([results(*WORSE)], OPPOSITE, "contradicted"),
        ([results(*WORSE)], REFUTES_ONLY, "contradicted"),
        ([results(*WORSE)], EITHER_WAY, "supported"),
        ([results(*BETTER)], Bound(HIGHER), "contradicted"),
        ([results(*BETTER)], OPPOSITE, "supported"),
        ([results(*BETTER)], REFUTES_ONLY, "undecided"),
        ([results(*BETTER)], EITHER_WAY, "supported"),
        ([results(*ALIKE)], Bound(HIGHER), "undecided"),
        ([results(*ALIKE)], EITHER_WAY, "undecided"),
        ([results(*WORSE), results(*BETTER, data="cifar10")], Bound(HIGHER), "undecided"),
        ([results(*WORSE), results(*ALIKE, data="cifar10")], Bound(HIGHER), "supported"),
        ([results(*WORSE), results(*BETTER, quick=True)], Bound(HIGHER), "supported"),
        ([results(*BETTER, quick=True)], Bound(HIGHER), "contradicted"),
    ],
)
def test_the_verdict_follows_the_results(measured: list[Results], bound: Bound, word: str) -> None:
    entry = _entry(study=StudyClaims(name="degradation", claims=(bound,)))
    assert decide(entry, measured).word == word


@pytest.mark.parametrize(
    ("losses", "word", "overfitting"),
    [(WORSE, "supported", "contradicted"), (BETTER, "contradicted", "undecided"), (ALIKE, "undecided", "undecided")],
)
def test_a_results_file_decides_its_rows_from_the_command_to_the_book(
    losses: tuple[list[float], list[float]], word: str, overfitting: str, cli: Cli, tmp_path: Path
) -> None:
    folder, out = tmp_path / "results", tmp_path / "book.md"
    folder.mkdir()
    write_results(results(*losses), folder / "degradation-digits.json")
    for language in LANGUAGES:
        word_there = phrases.WORDS[word](language)
        told = cli("study", "claims", "001:28", "--results", folder, "--language", language)[1]
        assert re.search(rf"{word_there} \({phrases.BY['study'](language)}\)", told)
        assert cli("study", "claims", "--results", folder, "--out", out, "--language", language)[0] == 0
        book = out.read_text(encoding="utf-8")
        lines = {line.split(" | ")[0][2:]: line for line in book.splitlines()}
        row = lines[BY_ID["deeper-plain-nets-get-worse"].words(language).claim]
        assert f"**{word_there}** (" in row
        assert "`plain56` 0." in row
        other = lines[BY_ID["overfitting-explains-degradation"].words(language).claim]
        assert f"**{phrases.WORDS[overfitting](language)}** (" in other
        unmeasured = lines[BY_ID["zero-init-helps"].words(language).claim]
        assert f"**{phrases.WORDS['not measured'](language)}** (" in unmeasured
        told = "--data digits --epochs 3 --train-images 10000 --set data.image_size=16 --set model.options.width=8"
        assert f"\n- `resvision study degradation {told}`" in book
        assert {"en": "3 epochs, 10,000 images of 16 px", "ko": "3에폭, 16픽셀 이미지 10,000장"}[language] in book
        assert phrases.NOTHING_RUN(language) not in book


def test_a_claim_on_several_claims_needs_them_all() -> None:
    both = (Bound(HIGHER), Bound("resnet56 has a lower training loss than resnet20"))
    entry = _entry(study=StudyClaims(name="degradation", claims=both))
    assert decide(entry, [results(*WORSE)]).word == "contradicted"  # the residual net is as bad here
    assert decide(_entry(study=StudyClaims(name="degradation")), [results(*WORSE)]).word == "contradicted"


def test_results_of_other_conditions_tell_nothing_of_a_claim() -> None:
    entry = _entry(study=StudyClaims(name="degradation", claims=(Bound(HIGHER),)))
    members = tuple(member for member in results(*WORSE).members if member.condition != DEEPER)
    assert decide(entry, [replace(results(*WORSE), members=members)]).word == "not measured"


def test_a_row_of_which_only_a_part_was_measured_says_so() -> None:
    both = (Bound(HIGHER), Bound("resnet56 has a lower training loss than resnet20"))
    entry = _entry(study=StudyClaims(name="degradation", claims=both))
    members = tuple(member for member in results(*WORSE).members if member.condition != "resnet56")
    decision = decide(entry, [replace(results(*WORSE), members=members)])
    assert decision.word == "undecided"
    assert "not measured here: the other 1 of its claims" in decision.shown("en")
    assert "측정 안 함" in decision.shown("ko")


def test_what_was_measured_is_told_with_data_seeds_mean_spread_and_date() -> None:
    entry = _entry(study=StudyClaims(name="degradation", claims=(Bound(HIGHER),)))
    decision = decide(entry, [results(*WORSE)])
    told = "Measured: digits, 3 seeds, 2026-11-28: training loss `plain20` 0.11 ± 0.01 < `plain56` 0.31 ± 0.01."
    assert decision.shown("en") == told
    assert decision.shown("ko").startswith("측정: digits, 시드 3개, 2026-11-28: 학습 손실 `plain20` 0.11 ± 0.01")
    diverged = replace(results(*WORSE).members[0], figures={}, diverged="the loss is no number")
    lost = replace(results(*WORSE), members=(diverged, *results(*WORSE).members[1:]))
    assert "1 diverged" in decide(entry, [lost]).shown("en")


def test_results_are_read_from_their_files(tmp_path: Path) -> None:
    write_results(results(*WORSE), tmp_path / "degradation-digits.json")
    assert [one.data for one in read_folder(tmp_path)] == ["digits"]
    write_results(replace(results(*WORSE), study="phrenology"), tmp_path / "phrenology-digits.json")
    with pytest.raises(RunError, match="no study of ours"):
        read_folder(tmp_path)


def test_the_table_has_one_line_for_each_claim_in_both_languages() -> None:
    decisions = [decide(entry, []) for entry in entries()]
    for language in LANGUAGES:
        book = write_book(decisions, [], language)
        lines = [line for line in book.splitlines() if line.startswith("|")]
        assert len(lines) == len(entries()) + 2
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(phrases.HEADINGS) + 1}
        assert lines == [*table(decisions, language)]
        assert "@" not in book


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_books_are_what_the_command_writes(language: str, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "claims.md"
    words = ("--results", str(ROOT / "docs/results")) if (ROOT / "docs/results").is_dir() else ()
    code, _, err = cli("study", "claims", *words, "--out", str(out), "--language", language)
    assert (code, err) == (0, "")
    assert out.read_text(encoding="utf-8") == BOOKS[language].read_text(encoding="utf-8"), "`make claims` writes them"


def test_the_command_counts_claims_and_shows_one_in_full(cli: Cli, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = cli("study", "claims")
    assert code == 0
    assert f"{len(entries())} claims" in out
    code, out, _ = cli("study", "claims", "002:234")
    assert code == 0
    assert all(number in out for number in ("73,728", "69,632", "1,152", "wrong (by arithmetic)"))
    assert "병목" in cli("study", "claims", "bottleneck-arithmetic", "--language", "ko")[1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["bottelneck-arithmetic"], "nearest: bottleneck-arithmetic"),
        (["002:9999"], "no claim '002:9999'"),
        (["--language", "de"], "choose one of en, ko"),
        (["--results", "nowhere"], "nowhere: no such folder"),
        (["--out", "mine.md"], "mine.md: is there already"),
        (["002:234", "--out", "book.md"], "leave out the names"),
    ],
)
def test_bad_words_get_one_clear_line(words: list[str], told: str, cli: Cli, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.md").write_text("my own notes\n")
    code, _, err = cli("study", "claims", *words)
    assert (code, told in err, err.count("\n")) == (2, True, 1), err
    assert (tmp_path / "mine.md").read_text() == "my own notes\n"


def test_a_book_is_written_over_an_older_one(cli: Cli, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for language in ("en", "ko"):
        assert cli("study", "claims", "--out", "book.md", "--language", language)[0] == 0
    assert (tmp_path / "book.md").read_text(encoding="utf-8").startswith(phrases.TITLE.ko)


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(UnknownNameError):
        find("005:1")
    with pytest.raises(ValueError, match="no place"):
        lines_of("2:3")


def _entry(**decider: Any) -> Entry:
    words = entries()[0].en
    return Entry(id="a", places=("000:1",), command="resvision list", en=words, ko=words, **decider)


def test_decisions_know_what_they_rest_on() -> None:
    decisions: list[Decision] = [decide(entry, []) for entry in entries()]
    assert {decision.by for decision in decisions} == {*phrases.BY}
    assert {decision.word for decision in decisions} <= {*phrases.WORDS}
