"""Measurements as a table, as plain data and as a picture."""

from collections.abc import Mapping, Sequence
from html import escape
from textwrap import wrap
from typing import Any

from resvision.bench.measuring import DECODING, FILES, Measured
from resvision.core.errors import printable

BAR_PX, ROW_PX, NAMES_PX, MARGIN_PX = 360, 20, 170, 16
FOOT_CHARACTERS = 88
"""Of a line at the foot at most, so that it fits into the width."""
FONT = "system-ui, sans-serif"
INK, FAINT, OURS, USUAL = "#1f2328", "#57606a", "#0b62c4", "#adb5bd"
USUAL_PATHS = {"torchvision", "timm", "openvino-by-hand"}
"""Paths that are not ours, in another colour."""


def heading(measure: str) -> str:
    """A measure in words."""
    return "files" if measure == FILES else f"batch {measure}"


def title(measured: Measured) -> str:
    """The net in words."""
    weights = "drawn weights" if measured.subject.drawn else "its own weights"
    macs = "" if measured.macs is None else f", {measured.macs / 1e9:.2f} GMAC an image"
    return f"{measured.subject.title}, {measured.side_px} px, {weights}{macs}"


def columns(measured: Measured) -> list[str]:
    """The headings of the table: the path, and of each measure the rate, its spread, the ratio, the share."""
    of_measures = [
        name
        for measure in measured.rates
        for name in (f"{heading(measure)}, img/s", f"± {heading(measure)}", f"x {heading(measure)}")
    ]
    return ["path", *of_measures, "of ceiling"]


def rows(measured: Measured, ceilings: Mapping[str, float]) -> list[list[str]]:
    """The rows of the table, and last the one of decoding, where files were measured."""
    return [_row(measured, path, ceilings) for path in measured.contenders] + (
        [_row(measured, DECODING, ceilings)] if FILES in measured.rates else []
    )


def _row(measured: Measured, path: str, ceilings: Mapping[str, float]) -> list[str]:
    cells = [path]
    for measure, rates in measured.rates.items():
        ratio = measured.ratio(measure, path)
        is_there = path in rates
        cells += [f"{rates[path].median:,.1f}" if is_there else "", f"{rates[path].spread:.0%}" if is_there else ""]
        cells += ["" if ratio is None or path == DECODING else f"{ratio:.2f}"]
    shares = [] if path == DECODING else [measured.of_ceiling(one, path, ceilings) for one in measured.rates]
    best = max((share for share in shares if share is not None), default=None)
    return [*cells, "" if best is None else f"{best:.0%}"]


def notes(measured: Measured) -> list[str]:
    """Sentences below the table."""
    lines = [f"{path}: {contender.described}" for path, contender in measured.contenders.items()]
    for path in measured.contenders:
        if (share := measured.of_both(path)) is not None:
            lines.append(f"{path}: files at {share:.2f} of decoding on all cores and then computing")
    return lines + [f"left out, {path}: {reason}" for path, reason in measured.left_out.items()]


def to_json(measured: Measured, ceilings: Mapping[str, float]) -> dict[str, Any]:
    """Plain data; rates are images a second, round by round."""
    paths = {
        path: {
            "described": contender.described,
            "precision": contender.precision,
            "of_both": measured.of_both(path),
            "measures": {
                measure: {
                    "images_a_second": rates[path].median,
                    "rounds": [*rates[path].rounds],
                    "spread": rates[path].spread,
                    "ratio": measured.ratio(measure, path),
                    "of_ceiling": measured.of_ceiling(measure, path, ceilings),
                }
                for measure, rates in measured.rates.items()
                if path in rates
            },
        }
        for path, contender in measured.contenders.items()
    }
    decoding = measured.rates.get(FILES, {}).get(DECODING)
    return {
        "subject": measured.subject.title,
        "net": measured.subject.net,
        "weights": "drawn" if measured.subject.drawn else "its own",
        "side_px": measured.side_px,
        "macs": measured.macs,
        "baseline": measured.baseline if measured.contenders else None,
        "paths": paths,
        "decoding": None if decoding is None else {"images_a_second": decoding.median, "rounds": [*decoding.rounds]},
        "left_out": dict(measured.left_out),
    }


def picture(all_measured: Sequence[Measured], lines: Sequence[str]) -> str:
    """All rates as bars, an SVG; each measure has a scale of its own, and `lines` stand at the foot."""
    parts: list[str] = []
    y = float(MARGIN_PX)
    for measured in all_measured:
        y = _text(parts, MARGIN_PX, y + 14, title(measured), INK, bold=True)
        for measure, rates in measured.rates.items():
            y = _text(parts, MARGIN_PX, y + 14, f"{heading(measure)}, images a second", FAINT)
            highest = max(rate.median for rate in rates.values())
            for path, rate in rates.items():
                y = _bar(parts, y, path, rate.median, highest)
        y += ROW_PX
    for part in (part for line in lines for part in wrap(line, FOOT_CHARACTERS)):
        y = _text(parts, MARGIN_PX, y + 14, part, FAINT)
    width = NAMES_PX + BAR_PX + 6 * MARGIN_PX
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {y + MARGIN_PX:g}" font-family="{FONT}"'
        f' font-size="12"><rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _bar(parts: list[str], y: float, name: str, value: float, highest: float) -> float:
    """Draw a bar with its name and value; the y below it."""
    colour = USUAL if name in USUAL_PATHS else OURS
    length = BAR_PX * value / highest
    _text(parts, NAMES_PX, y + 14, name, INK, anchor="end")
    parts.append(f'<rect x="{NAMES_PX + 8}" y="{y + 3:g}" width="{length:.1f}" height="14" fill="{colour}"/>')
    _text(parts, NAMES_PX + 14 + length, y + 14, f"{value:,.1f}", INK)
    return y + ROW_PX


def _text(
    parts: list[str], x: float, y: float, text: str, colour: str, *, anchor: str = "start", bold: bool = False
) -> float:
    """Write a line; the y below it."""
    weight = ' font-weight="bold"' if bold else ""
    shown = escape(printable(text))
    parts.append(f'<text x="{x:.1f}" y="{y:g}" text-anchor="{anchor}" fill="{colour}"{weight}>{shown}</text>')
    return y + 8
