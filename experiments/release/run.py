"""Measures the weights that the package may ship, as they are stored, and writes their table.

    python experiments/release/run.py                # those of WEIGHTS whose runs are in outputs/

Each is exported in half precision to outputs/release, and evaluated there, so that the numbers are those of the
weights that users get. Its lines in results.csv are written anew; those of weights whose runs are not here stay as they
are. The README's table is made from that file.
"""

import argparse
import csv
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.image_table import read_image_values
from colorize.evaluation.result import image_table_path, read_result
from colorize.metrics.metric_info import Interval
from colorize.run_folder import RunFolder
from colorize.utils.errors import UserError, guarded

sys.path.append(str(Path(__file__).parents[1]))
from study import ALWAYS, BOTH_EXTRACTORS, Line, replace_part, result_lines, run, show

HERE = Path(__file__).parent
WEIGHTS = {  # name -> the run, and the step whose averaged weights are meant
    "base": (Path("outputs/release-fine"), 8_500),
    "base-12500": (Path("outputs/release-base"), 12_500),
    "open-12500": (Path("outputs/release-open"), 12_500),
}
EXPORTS, PHOTOGRAPHS = Path("outputs/release"), Path("outputs/photographs")
SETS = {
    "people_places": ["protocol=clean", BOTH_EXTRACTORS, f"source={PHOTOGRAPHS / 'val'}"],
    "bsds": ["protocol=clean", BOTH_EXTRACTORS, f"source={PHOTOGRAPHS / 'bsds'}"],
    "period": ["protocol=period", BOTH_EXTRACTORS, f"source={PHOTOGRAPHS / 'period'}"],
}
GAIN = "psnr_over_grey"
SHOWN = {
    "psnr": "PSNR dB ↑",
    "ciede2000": "CIEDE2000 ↓",
    "chroma": "chroma → 1",
    "kd_paired_mobilenet_v2": "KD, MobileNetV2 ↓",
}
HEAD = ["weights", "row", "set", "metric", "value", "low", "high", "n"]


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for name, (folder, step) in WEIGHTS.items():
        try:
            weights = RunFolder(folder).checkpoint(str(step))
        except UserError as error:
            print(f"{name} is left out: {error}")
        else:
            measure(name, weights)
            keep_lines(HERE / "results.csv", name, [*measured_lines(name)])
    replace_part(HERE / "README.md", "weights", [*table_lines(HERE / "results.csv")])
    return 0


def measure(name: str, weights: Path) -> None:
    folder, kept = EXPORTS / name, HERE / "results" / name
    if not (folder / "config.json").exists():
        run("export", str(weights), "-o", str(folder), "--half", "--name", name)
    kept.mkdir(parents=True, exist_ok=True)
    for result, words in SETS.items():
        run("evaluate", f"run={folder}", f"out={folder}", f"name={result}", *words, *ALWAYS[1:])
        shutil.copy(folder / "results" / f"{result}.json", kept)


def measured_lines(name: str) -> Iterator[Line]:
    """A line for each row, set and metric; and what each row of the network has over grey, photograph by photograph."""
    for photographs in SETS:
        path = EXPORTS / name / "results" / f"{photographs}.json"
        grey = read_image_values(image_table_path(path), "grey").values["psnr"]
        for row, cells in read_result(path).rows.items():
            if row.startswith("model"):
                psnr = read_image_values(image_table_path(path), row).values["psnr"]
                cells = {**cells, GAIN: mean_interval(psnr - grey)}
            for _, of, metric, _, *numbers in result_lines(row, photographs, "", cells):
                yield [name, row, of, metric, *numbers]


def keep_lines(path: Path, name: str, lines: list[Line]) -> None:
    """Put the lines of these weights into the file, in place of those that it has of them."""
    old = [list(line.values()) for line in read_lines(path) if line["weights"] != name] if path.exists() else []
    order = [*WEIGHTS]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        writer.writerows(sorted([*old, *lines], key=lambda line: order.index(line[0])))


def read_lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [*csv.DictReader(file)]


def table_lines(path: Path) -> Iterator[str]:
    """A line for each network, set and input; and one for grey of each set."""
    yield "| photographs | weights | shown | PSNR − grey's | " + " | ".join(SHOWN.values()) + " |"
    yield "| --- | --- | --- " + "| --: " * (1 + len(SHOWN)) + "|"
    rows: dict[tuple[str, str, str], dict[str, Interval]] = {}
    for line in read_lines(path):
        numbers = (float(line[each]) for each in ("value", "low", "high"))
        cells = rows.setdefault((line["weights"], line["set"], line["row"]), {})
        cells[line["metric"]] = Interval(*numbers, int(line["n"]))
    for (name, photographs, row), cells in rows.items():
        if row.startswith("model") or (row == "grey" and name == "base"):
            shown = row.removeprefix("model").replace("_", " ").strip() or "lightness"
            texts = [show("psnr", cells.get(GAIN), "+"), *(show(metric, cells.get(metric)) for metric in SHOWN)]
            who = ["grey", "–"] if row == "grey" else [name, shown]
            yield f"| {' | '.join([photographs, *who, *texts])} |"


if __name__ == "__main__":
    raise SystemExit(guarded(main))
