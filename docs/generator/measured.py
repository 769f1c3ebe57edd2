"""Figures that were measured: what a command printed as its last line, kept beside the pages, and the text made of it.

`docs/measured/NAME.json` holds the command, the machine, the versions, the day and the figures.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from generator.curves import curves
from generator.speed import data, deploy, models, paint, precision
from generator.text import Figures, table

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "measured"


@dataclass(frozen=True)
class Measurement:
    """A command whose last line is one JSON object, the page that shows it, and how."""

    command: str
    page: str
    write: Callable[[Figures], str]


def coverage(figures: Figures) -> str:
    methods = {"t": "studentised (ours)", "bca": "bias-corrected", "percentile": "percentile", "Student": "Student's t"}
    toys = [name for name in figures if not name.endswith(" seeds")]
    rows = [
        [name, count, *(_percent(figures[name][count].get(method)) for method in methods)]
        for count in ("24", "200")
        for name in toys
    ]
    seeds = [
        [name.removesuffix(" seeds"), count, _percent(held["two levels"]), _percent(held["crossed"])]
        for name in figures
        if name.endswith(" seeds")
        for count, held in figures[name].items()
    ]
    means = table(["scores shaped like", "photographs", *methods.values()], rows, "lrrrrr")
    heads = ["seeds", "photographs", "redrawing both", "crossed factors (ours)"]
    return (
        f"{means}\n\nRuns with seeds, where photographs differ three times as much as seeds do:\n\n"
        f"{table(heads, seeds, 'rrrr')}"
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def batch_norm(figures: Figures) -> str:
    rows = [
        [f"`{name}`", f"{one['without']:.0e}", f"{one['with']:.0e}", f"{one['psnr']:.2f}"]
        for name, one in figures.items()
    ]
    heads = ["network", "largest difference of a weight without batch norm", "with it", "of the PSNR with it, dB"]
    return table(heads, rows, "lrrr")


def gamut(figures: Figures) -> str:
    rows = [
        [
            name, f"{one['outside']:.1f}",
            *(
                f"{one[way][key]:.{digits}f}"
                for key, digits in (("psnr", 2), ("colorfulness", 1), ("largest", 1))
                for way in ("chroma", "clip")
            ),
        ]
        for name, one in figures.items()
    ]  # fmt: skip
    heads = ["run", "% of pixels outside", "PSNR, `chroma`", "`clip`", "colourfulness, `chroma`", "`clip`"]
    return table([*heads, "largest shift of L*, `chroma`", "`clip`"], rows, "lrrrrrrr")


def validation(figures: Figures) -> str:
    rows = [
        [f"`{name}`", f"{one['minutes']:.1f}", str(one["passes"]), *(f"{100 * one[key]:.1f} %" for key in COSTS)]
        for name, one in figures.items()
    ]
    return table(
        ["recipe", "minutes of steps", "validations", "their share", "share of the final evaluation"], rows, "lrrrr"
    )


COSTS = ("validation", "final")


def hints(figures: Figures) -> str:
    rows = [
        [count, *(_interval(of[kind], 2) for kind in HINTED), f"{of['spread'][0] - of['copied'][0]:+.2f}"]
        for count, of in figures["psnr"].items()
    ]
    return (
        f"{table(['hints', *HINTED.values(), 'spread less copied'], rows, 'rrrrr')}\n\n"
        f"PSNR in dB of {figures['photographs']} photographs at {figures['size']}². To spread 20 hints takes "
        f"{figures['seconds']:.2f} s."
    )


def hints_curve() -> str:
    """The table's PSNR, drawn."""
    psnr = json.loads((FOLDER / "hints.json").read_text(encoding="utf-8"))["figures"]["psnr"]
    lines = {text: [tuple(of[kind]) for of in psnr.values()] for kind, text in HINTED.items()}
    return curves("PSNR in dB by number of hints", [*psnr], lines)


HINTED = {"spread": "spread", "copied": "copied", "alone": "spread over grey"}


def confidence(figures: Figures) -> str:
    first = figures["error"][0]
    rows = [
        [str(place), f"{expected:.1f}", f"{error:.1f}", f"{error / first:.1f}"]
        for place, (expected, error) in enumerate(zip(figures["expected"], figures["error"], strict=True), 1)
    ]
    return (
        f"{table(['tenth of the pixels', 'expected error', 'mean error', 'times the first'], rows, 'rrrr')}\n\n"
        f"Distances in CIE a and b, of {figures['photographs']} photographs at {figures['size']}². Spearman's rank "
        f"correlation of the expected error and the true one is {_interval(figures['spearman'], 2)} inside a "
        f"photograph, and {figures['between']:.2f} between the photographs' means."
    )


def size(figures: Figures) -> str:
    names = {"trained": f"{figures['trained']}, as trained", "auto": "`auto`"}
    own = figures["sizes"]["trained"]["seconds"]
    rows = [
        [names.get(name, name), f"{of['psnr'][0]:.2f}", _ends(of["psnr"]), f"{of['ciede2000'][0]:.2f}",
         _ends(of["ciede2000"]), f"{of['seconds'] / own:.1f}"]
        for name, of in figures["sizes"].items() if name != str(figures["trained"])
    ]  # fmt: skip
    less = "less the trained size's"
    heads = ["`--size`", "PSNR dB", less, "CIEDE2000", less, "times its seconds"]
    chosen = ", ".join(f"{size} for {count}" for size, count in figures["auto"].items())
    return f"{table(heads, rows, 'lrrrrr')}\n\n{figures['photographs']} photographs; `auto` chose {chosen}."


def _interval(cell: list[float], digits: int) -> str:
    value, low, high = (f"{each:.{digits}f}" for each in cell)
    return f"{value} ({low} to {high})"


def _ends(cell: list[float]) -> str:
    return f"{cell[1]:+.2f} to {cell[2]:+.2f}"


GUIDED = "guided_colour.md"
MEASURED = {
    "validation": Measurement("python benchmarks/validation.py", "evaluation.md", validation),
    "gamut": Measurement("python benchmarks/gamut.py 'outputs/six_models/0*'", "evaluation.md", gamut),
    "hints": Measurement("python benchmarks/hints.py --weights base", GUIDED, hints),
    "confidence": Measurement(
        "python benchmarks/confidence.py --weights base --source outputs/photographs/val", GUIDED, confidence
    ),
    "size": Measurement("python benchmarks/size.py outputs/photographs/bsds/bsds500_test --weights base", GUIDED, size),
    "data": Measurement("python benchmarks/data.py", "data.md", data),
    "models": Measurement("python benchmarks/models.py --profile", "benchmarks.md", models),
    "precision": Measurement("python benchmarks/precision.py", "training.md", precision),
    "deploy": Measurement("python benchmarks/deploy.py", "deployment.md", deploy),
    "paint": Measurement("python benchmarks/paint.py --folder 8", "benchmarks.md", paint),
    "coverage": Measurement("python benchmarks/coverage.py", "statistics.md", coverage),
    "batch_norm": Measurement("python benchmarks/batch_norm.py", "scale.md", batch_norm),
}


def measured(name: str) -> str:
    """The text of a measurement, and where it comes from."""
    held = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    text = MEASURED[name].write(held["figures"])
    return f"{text}\n\n*`{held['command']}`, {held['day']}, {held['machine']}, {held['versions']}.*"


def measure(name: str) -> None:
    """Run the command of a measurement and keep what it printed."""
    words = shlex.split(MEASURED[name].command)
    done = subprocess.run([sys.executable, *words[1:]], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    FOLDER.mkdir(exist_ok=True)
    held = {
        "command": MEASURED[name].command, "day": datetime.now(UTC).date().isoformat(), "machine": _machine(),
        "versions": f"Python {platform.python_version()}, torch {version('torch').split('+')[0]}",
        "figures": json.loads(done.stdout.splitlines()[-1]),
    }  # fmt: skip
    text = json.dumps(held, indent=1, ensure_ascii=False) + "\n"
    (FOLDER / f"{name}.json").write_text(text, encoding="utf-8", newline="\n")


def _machine() -> str:
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return f"{os.cpu_count()} cores of {names[0] if names else platform.processor() or platform.machine()}"


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
