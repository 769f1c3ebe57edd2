"""Writes what the pages say in numbers: from the code and conf/, and from the files that measurements left.

    python docs/build.py                       bring the pages and figures of docs/ up to date
    python docs/build.py --check               only say what is stale; the exit status is then 1
    python docs/build.py --measure coverage    run the command of a measurement, keep its figures, and do the first
    python docs/build.py --keep quickstart outputs/quickstart outputs/quickstart-s1
                                               keep what these runs' summaries say beside the experiment, likewise

The text around the generated parts is written by hand; each stands between <!-- begin NAME --> and <!-- end NAME -->.
`docs/measured/NAME.json` holds the figures that a command printed, `experiments/NAME/runs.json` those of runs.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from generator.counts import counts
from generator.experiments import keep, runs_table
from generator.figures import figure
from generator.layers import layers
from generator.measured import FOLDER, MEASURED, hints_curve, measure, measured
from generator.networks import CRITICS, NETWORKS, look
from generator.published import published
from generator.recipes import described, models
from generator.scale import arithmetic
from generator.verbs import verbs

DOCS = Path(__file__).parent
Parts = dict[str, Callable[[], str]]


def pages() -> dict[Path, Parts]:
    """Page -> name of each of its generated parts -> what writes it."""
    found: dict[Path, Parts] = {
        DOCS / "models.md": of_models(),
        DOCS / "scale.md": {"arithmetic": arithmetic},
        DOCS / "cli.md": {"verbs": verbs},
    }
    kept = {name: of for name, of in MEASURED.items() if (FOLDER / f"{name}.json").is_file()}
    for name, measurement in kept.items():
        found.setdefault(DOCS / measurement.page, {})[f"measured {name}"] = partial(measured, name)
    for runs in sorted((DOCS.parent / "experiments").glob("*/runs.json")):
        found[runs.with_name("README.md")] = {"runs": partial(runs_table, runs.parent)}
    return found


def of_models() -> Parts:
    found: Parts = {"counts": counts, "published": published}
    found |= {f"layers {name}": partial(lambda n: layers(n, look(n)), name) for name in (*NETWORKS, *CRITICS)}
    return found | {f"recipes {name}": partial(described, name) for name in models()}


def write_page(page: Path, parts: Parts, wanted: Callable[[str], bool] = lambda name: True) -> str:
    """A page with its generated parts as they should be. Fails where a part has no place in it."""
    text = page.read_text(encoding="utf-8")
    for name, write in parts.items():
        if not wanted(name):
            continue
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise SystemExit(
                f"{page.relative_to(DOCS.parent)} has no place for the generated part {name!r}: {begin} {end}"
            )
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n\n{write()}\n\n{end}{tail}"
    return text


def files(wanted: Callable[[str], bool] = lambda name: True) -> dict[Path, str]:
    """Every generated file, as it should be."""
    found = {page: write_page(page, parts, wanted) for page, parts in pages().items()}
    for name in re.findall(r"\(figures/(\w+)\.svg\)", found[DOCS / "models.md"]):
        if wanted(f"figure {name}"):
            found[DOCS / "figures" / f"{name}.svg"] = figure(name, look(name))
    if (FOLDER / "hints.json").is_file() and wanted("figure hints"):
        found[DOCS / "figures" / "hints.svg"] = hints_curve()
    return found


def stale(wanted: Callable[[str], bool] = lambda name: True) -> list[str]:
    """The files that are not as they should be."""
    return [
        path.relative_to(DOCS.parent).as_posix()
        for path, text in files(wanted).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if something is stale")
    parser.add_argument("--measure", nargs="+", choices=MEASURED, default=[], metavar="NAME", help=", ".join(MEASURED))
    parser.add_argument("--keep", nargs="+", default=[], metavar=("EXPERIMENT", "RUN"), help="summaries of its runs")
    words = parser.parse_args()
    if words.keep:
        keep(DOCS.parent / "experiments" / words.keep[0], [Path(run) for run in words.keep[1:]])
    for name in words.measure:
        measure(name)
    if words.check:
        if found := stale():
            print(f"stale: {', '.join(found)}; run python docs/build.py", file=sys.stderr)
        return int(bool(found))
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
