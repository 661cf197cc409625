"""The claims book as Markdown: an introduction, the counts, one table with a line for each claim, what was run."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from resvision.core.files import DOCUMENT, read_whole
from resvision.core.plurals import counted, length_in_words
from resvision.studies.claims import phrases
from resvision.studies.claims.decisions import Decision
from resvision.studies.claims.entries import Language
from resvision.studies.claims.sources import with_links
from resvision.studies.results import Results
from resvision.studies.table import STUDIES, design_of

DECIDED_BY = ("study", "arithmetic", "table", "text")


def write_book(decisions: Sequence[Decision], results: Sequence[Results], language: Language) -> str:
    """The whole book in a language."""
    notes = "; ".join(f"{note} {words(language)}" for note, words in phrases.NOTES.items())
    introduction = (files("resvision.studies.claims") / f"introduction.{language}.md").read_text(encoding="utf-8")
    parts = [
        phrases.TITLE(language),
        introduction.format(notes=notes).rstrip(),
        phrases.COUNTS(language),
        "\n".join(counts_in_words(decisions, language)),
        phrases.TABLE(language),
        "\n".join(table(decisions, language)),
        phrases.SETTINGS(language),
        "\n".join(runs(results, language)) or phrases.NOTHING_RUN(language),
    ]
    return "\n\n".join(parts) + "\n"


def is_book(path: Path) -> bool:
    """Whether a file is a book that was written here, in either language."""
    try:
        first = read_whole(path, DOCUMENT).split(b"\n", 1)[0]
    except OSError:
        return False
    return first.decode(errors="replace") in set(phrases.TITLE)


def counts(decisions: Sequence[Decision]) -> dict[str, Counter[str]]:
    """How many claims have each word, by what decides them."""
    return {by: Counter(decision.word for decision in decisions if decision.by == by) for by in DECIDED_BY}


def counts_in_words(decisions: Sequence[Decision], language: Language) -> Iterator[str]:
    """Yield the number of all claims, and a line for each thing that decides some."""
    yield phrases.TOTAL(language, count=len(decisions))
    yield ""
    for by, words in counts(decisions).items():
        counted = [(words[word], phrases.WORDS[word](language)) for word in phrases.WORDS if words[word]]
        listed = ", ".join(phrases.OF_A_WORD(language, number=number, word=word) for number, word in counted)
        yield phrases.COUNT(language, by=phrases.BY[by](language), count=words.total(), listed=listed)


def table(decisions: Sequence[Decision], language: Language) -> Iterator[str]:
    """Yield the lines of the table, one for each claim, each of which opens with a bar."""
    headings = [heading(language) for heading in phrases.HEADINGS]
    yield _line(headings)
    yield "|---" * len(headings) + "|"
    for decision in decisions:
        entry, words = decision.entry, decision.entry.words(language)
        papers = with_links(words.papers)
        if words.fact:
            papers = f"{papers} {phrases.FACT(language, fact=with_links(words.fact))}"
        verdict = f"**{phrases.WORDS[decision.word](language)}** ({phrases.BY[decision.by](language)})"
        places = ", ".join(f"`{place}`" for place in entry.places)
        yield _line([words.claim, places, f"`{entry.command}`", papers, decision.shown(language), verdict])


def runs(results: Sequence[Results], language: Language) -> Iterator[str]:
    """Yield a line for each study that was carried out: its command, and what its first member was trained by."""
    for one in results:
        duration = one.settings["training"]["duration"]
        count, unit = duration.split()
        yield phrases.RUN(
            language,
            command=command_of(one),
            conditions=phrases.CONDITIONS(
                language, count=len(one.conditions), words=counted(len(one.conditions), "condition")
            ),
            seeds=len(one.seeds),
            length=phrases.LENGTHS[unit](language, count=count, words=length_in_words(duration)),
            shown=_shown(one.settings["data"], language),
            date=one.date,
            machine=one.machine,
        )


def command_of(results: Results) -> str:
    """The command that repeats a study, as far as its first member tells: data, length, width and images."""
    design, settings = design_of(STUDIES[results.study]), results.settings
    words = ["resvision", "study", results.study, "--data", results.data]
    if len(results.seeds) != design.seeds:
        words += ["--seeds", f"{len(results.seeds)}"]
    if results.quick:
        return " ".join([*words, "--quick"])
    duration, limit = settings["training"]["duration"], settings["data"]["train_limit"]
    if duration != design.common.get("training.duration") and duration.endswith(" epochs"):
        words += ["--epochs", duration.split()[0]]
    if limit is not None and limit != design.common.get("data.train_limit"):
        words += ["--train-images", f"{limit}"]
    kept = {"data.image_size": settings["data"]["image_size"], "model.options.width": _width(settings)}
    changed = {name: value for name, value in kept.items() if value is not None and value != design.common.get(name)}
    return " ".join([*words, *(f"--set {name}={value}" for name, value in changed.items())])


def _width(settings: Mapping[str, Any]) -> int | None:
    width: int | None = settings["model"].get("options", {}).get("width")
    return width


def _shown(data: Mapping[str, Any], language: Language) -> str:
    """The images that a member is trained on, by the settings of its data."""
    count = min(data["train_images"], data["train_limit"] or data["train_images"])
    if data["image_size"] is None:
        return phrases.SHOWN_ANY(language, count=count)
    return phrases.SHOWN(language, count=count, side=data["image_size"])


def _line(cells: Sequence[str]) -> str:
    """A line of a Markdown table; bars in its cells are escaped, and line breaks are spaces."""
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
