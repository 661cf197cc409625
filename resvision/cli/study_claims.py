"""`resvision study claims`: the claims of the notes with what decides each, counted, shown, or written as a book."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from resvision.cli.tables import Wide, new_table, print_lines, print_tables
from resvision.core.errors import RunError, SettingsError, printable

if TYPE_CHECKING:
    from resvision.studies.claims.decisions import Decision
    from resvision.studies.claims.entries import Language
    from resvision.studies.results import Results

RESULTS = Path("docs/results")


def command(
    named: Annotated[
        list[str] | None,
        typer.Argument(metavar="CLAIM", help="Show these claims in full: an id of the book, or a place as 002:234."),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FOLDER", help="Take the results of studies in here, not docs/results."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the whole book into this Markdown file.")] = None,
    language: Annotated[str, typer.Option("--language", metavar="en|ko", help="Write in English or in Korean.")] = "en",
    force: Annotated[bool, typer.Option("--force", help="Let --out replace a file that is no claims book.")] = False,
    wide: Wide = False,
) -> None:
    """Show what is true of the notes' claims, and why.

    Each is decided by a study's results, by arithmetic, by a published table or by a paper's text.
    """
    from resvision.studies.claims.book import write_book
    from resvision.studies.claims.decisions import decide
    from resvision.studies.claims.entries import entries, find

    chosen = _language(language)
    if named and (out or force):
        raise SettingsError("--out writes the whole book; leave out the names of claims")
    measured = _results(results)
    if named:
        found = {entry.id: decide(entry, measured) for name in named for entry in find(name)}
        print_lines(*(line for decision in found.values() for line in _in_full(decision, chosen)))
        return
    decisions = [decide(entry, measured) for entry in entries()]
    if out is not None:
        _write(out, write_book(decisions, measured, chosen), force=force)
    _print_counts(decisions, chosen, wide=wide)
    if out is not None:
        print_lines(f"book: {printable(out)}")


def _language(text: str) -> "Language":
    from resvision.studies.claims.entries import LANGUAGES

    if text not in LANGUAGES:
        raise SettingsError(f"--language {text}: choose one of {', '.join(LANGUAGES)}")
    return cast("Language", text)


def _results(folder: Path | None) -> "list[Results]":
    """The results in a folder; in the usual one, if it is not there, none."""
    from resvision.studies.claims.evidence import read_folder

    if folder is not None and not folder.is_dir():
        raise RunError(f"{printable(folder)}: no such folder; name one with results of studies by --results")
    return read_folder(folder or RESULTS)


def _write(path: Path, book: str, *, force: bool) -> None:
    """Write the book; SettingsError where a file is there that is none."""
    from resvision.core import rundir
    from resvision.studies.claims.book import is_book

    if path.exists() and not force and not is_book(path):
        raise SettingsError(f"{printable(path)}: is there already, and no claims book; name another file, or --force")
    rundir.write_text(path, book)


def _in_full(decision: "Decision", language: "Language") -> list[str]:
    """The lines of a claim: its words, what the papers say, what decides it."""
    from resvision.studies.claims import phrases
    from resvision.studies.claims.sources import with_links, without_marks

    entry, words = decision.entry, decision.entry.words(language)
    verdict = f"{phrases.WORDS[decision.word](language)} ({phrases.BY[decision.by](language)})"
    parts = (
        ("", words.claim),
        (phrases.PAPERS(language), words.papers),
        (phrases.IN_FACT(language), words.fact),
        ("", decision.shown(language)),
        (phrases.VERDICT(language), verdict),
        (phrases.COMMAND(language), entry.command),
    )
    lines = [f"{', '.join(entry.places)}  {entry.id}"]
    lines += [f"  {f'{label}: ' if label else ''}{without_marks(with_links(text))}" for label, text in parts if text]
    return [*lines, ""]


def _print_counts(decisions: "Sequence[Decision]", language: "Language", *, wide: bool) -> None:
    """Print how many claims have each word, a row for each thing that decides some."""
    from resvision.studies.claims import phrases
    from resvision.studies.claims.book import counts

    counted = counts(decisions)
    words = [word for word in phrases.WORDS if any(row[word] for row in counted.values())]
    headings = [phrases.WORDS[word](language) for word in words]
    table = new_table("", phrases.CLAIMS(language), *headings, numbers=[phrases.CLAIMS(language), *headings])
    for by, row in counted.items():
        numbers = (str(row[word]) if row[word] else "" for word in words)
        table.add_row(phrases.BY[by](language), str(row.total()), *numbers)
    print_tables(table, wide=wide)
    print_lines(phrases.TOTAL(language, count=len(decisions)))
