"""The page of runs, or of one: numbers, verdicts, photographs under a slider, curves, cost, configs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from colorize.checkpoint import write_whole
from colorize.comparing.core import Comparison
from colorize.doctor.page import STYLE
from colorize.evaluation.page import MORE_STYLE
from colorize.evaluation.words import measured_in_words
from colorize.report.background import configs, cost, curves, of_results, of_summaries, provenance
from colorize.report.gather import gather
from colorize.report.photographs import historical, photographs, samples
from colorize.report.ranking import intervals, numbers, ranking, scores, verdicts
from colorize.results import read_result
from colorize.terminal import measured_on

HERE = Path(__file__).parent
NAMED = 4  # runs that a heading names


def write_comparison(target: Path, comparison: Comparison) -> None:
    """Of results, one or several. One file that needs no other. Raises `UserError` where a run's file is not whole."""
    told = {label: gather(paths[0].parent.parent, paths[0]) for label, paths in comparison.results.items()}
    protocol, words = comparison.protocol, measured_in_words(read_result(next(iter(comparison.results.values()))[0]))
    old = "" if protocol.get("truth") == "none" else historical(told)
    sections = [
        header([*told], protocol["id"], words), ranking(comparison), intervals(comparison), verdicts(comparison),
        photographs(told), old, curves(told), cost(told), configs(told), numbers(comparison),
        provenance(of_results(comparison, told)),
    ]  # fmt: skip
    write_page(target, f"{named([*told])} under {protocol['name']}", sections)


def write_trained(target: Path, summaries: Mapping[str, Mapping[str, Any]], folders: Mapping[str, Path]) -> None:
    """Of runs that were trained and not evaluated; both arguments by label."""
    told = {label: gather(folder) for label, folder in folders.items()}
    validation = next(iter(summaries.values()))["validation"]
    words = f"{measured_on(validation['photographs'], validation['size'])}; not evaluated under a named protocol yet."
    sections = [
        header([*told], "as training ended", words), scores(summaries), samples(told), historical(told), curves(told),
        cost(told), configs(told), provenance(of_summaries(summaries)),
    ]  # fmt: skip
    write_page(target, named([*told]), sections)


def write_page(target: Path, title: str, sections: Sequence[str]) -> None:
    """Labels and names are text, whatever they hold."""
    style = "".join(path.read_text(encoding="utf-8") for path in (STYLE, MORE_STYLE, HERE / "comparison.css"))
    script = (HERE / "slider.js").read_text(encoding="utf-8")
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><main>{''.join(sections)}</main><script>{script}</script></body></html>\n"
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, lambda part: part.write_bytes(text.encode("utf-8", errors="replace")))


def header(labels: Sequence[str], measured: str, words: str) -> str:
    today = datetime.now()
    return (
        f'<header><p class="quiet">colorize compare · {today.day} {today:%B %Y} · {escape(measured)}</p>'
        f'<h1>{escape(named(labels))}</h1><p class="verdict">{escape(words)}</p></header>'
    )


def named(labels: Sequence[str]) -> str:
    """The runs in a heading; of many, how many there are."""
    if len(labels) > NAMED:
        return f"{len(labels)} runs"
    return " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
