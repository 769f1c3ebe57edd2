"""Measures the weights that the package may ship, as they are stored, and writes their table.

    python experiments/release/run.py                # those of WEIGHTS that are trained; what is measured stays
    python experiments/release/run.py --table        # results.csv and the README's table alone

Each is exported in half precision to outputs/release, and evaluated there, so that the numbers are those of the weights
that users get.
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
from colorize.run_folder import RunFolder
from colorize.utils.errors import UserError, guarded

sys.path.append(str(Path(__file__).parents[1]))
from study import ALWAYS, BOTH_EXTRACTORS, replace_part, result_lines, run, show

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
SHOWN = {
    "psnr": "PSNR dB ↑",
    "ciede2000": "CIEDE2000 ↓",
    "chroma": "chroma → 1",
    "kd_paired_mobilenet_v2": "KD, MobileNetV2 ↓",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="write the table from what is measured already")
    if not parser.parse_args().table:
        for name, (folder, step) in WEIGHTS.items():
            try:
                weights = RunFolder(folder).checkpoint(str(step))
            except UserError as error:
                print(f"{name} is left out: {error}")
            else:
                measure(name, weights)
    write_csv(HERE / "results.csv")
    replace_part(HERE / "README.md", "weights", [*table_lines()])
    return 0


def measure(name: str, weights: Path) -> None:
    folder, kept = EXPORTS / name, HERE / "results" / name
    if not (folder / "config.json").exists():
        run("export", str(weights), "-o", str(folder), "--half", "--name", name)
    kept.mkdir(parents=True, exist_ok=True)
    for result, words in SETS.items():
        run("evaluate", f"run={folder}", f"out={folder}", f"name={result}", *words, *ALWAYS[1:])
        shutil.copy(folder / "results" / f"{result}.json", kept)


def result_files() -> Iterator[tuple[str, str, Path]]:
    """The weights' name, the photographs', and their result."""
    for name in WEIGHTS:
        for photographs in SETS:
            if (path := EXPORTS / name / "results" / f"{photographs}.json").is_file():
                yield name, photographs, path


def write_csv(path: Path) -> None:
    """A line for each network, row, set and metric."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["weights", "row", "set", "metric", "value", "low", "high", "n"])
        for name, photographs, result in result_files():
            for row, cells in read_result(result).rows.items():
                for _, of, metric, _, *numbers in result_lines(row, photographs, "", cells):
                    writer.writerow([name, row, of, metric, *numbers])


def table_lines() -> Iterator[str]:
    """A line for each network, set and input; and one for grey of each set."""
    yield "| photographs | weights | shown | PSNR − grey's | " + " | ".join(SHOWN.values()) + " |"
    yield "| --- | --- | --- " + "| --: " * (1 + len(SHOWN)) + "|"
    for name, photographs, path in result_files():
        rows, table = read_result(path).rows, image_table_path(path)
        grey = read_image_values(table, "grey").values["psnr"]
        for row in [each for each in rows if each.startswith("model") or (each == "grey" and name == "base")]:
            weights, shown, gain = "grey", "–", "–"
            if row != "grey":
                weights, shown = name, row.removeprefix("model").replace("_", " ").strip() or "lightness"
                gain = show("psnr", mean_interval(read_image_values(table, row).values["psnr"] - grey), "+")
            cells = [photographs, weights, shown, gain, *(show(metric, rows[row].get(metric)) for metric in SHOWN)]
            yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    raise SystemExit(guarded(main))
