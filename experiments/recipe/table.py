"""results.csv and the table in README.md, from the results of the tries that are measured."""

import csv
from pathlib import Path
from typing import Any

import yaml

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.image_table import read_image_values
from colorize.evaluation.result import Result, image_table_path, read_result

BASE = "base"
BEGIN, END = "<!-- begin table -->\n", "<!-- end table -->"
# metric, heading, decimal places
COLUMNS = (
    ("psnr", "PSNR dB ↑", 2), ("ciede2000", "CIEDE2000 ↓", 2), ("chroma", "chroma → 1", 2),
    ("colorfulness", "colourfulness", 1), ("features", "feature distance ↓", 3),
    ("kd_paired_efficientnet_lite0", "KD, Lite0 ↓", 4), ("kd_paired_mobilenet_v2", "KD, MobileNetV2 ↓", 4),
)  # fmt: skip


def write_table(here: Path, folder: Path, name: str, record: dict[str, Any]) -> int:
    """`record` is what run.py kept of each try before it began."""
    tries: dict[str, list[str]] = yaml.safe_load((here / "tries.yaml").read_text(encoding="utf-8"))
    files = {each: folder / each / "results" / f"{name}.json" for each in tries}
    results = {each: read_result(path) for each, path in files.items() if path.is_file()}
    if BASE not in results:
        print(f"{BASE} is not measured yet, and every try is compared with it")
        return 1
    gains = {each: psnr_gain(files[each], files[BASE]) for each in results if each != BASE}
    write_csv(here / "results.csv", results, record)
    readme = here / "README.md"
    before, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    lines = "\n".join(markdown(results, gains, tries, record))
    readme.write_text(f"{before}{BEGIN}\n{lines}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(lines)
    return 0


def psnr_gain(path: Path, base: Path) -> str:
    """By how many dB the mean PSNR is above the base's, photograph by photograph, with a 95 % interval."""
    ours, its = (read_image_values(image_table_path(each), "model") for each in (path, base))
    assert ours.names == its.names
    found = mean_interval(ours.values["psnr"] - its.values["psnr"])
    return f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


def write_csv(path: Path, results: dict[str, Result], record: dict[str, Any]) -> None:
    """A line for each try, row and metric."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["try", "words", "steps", "row", "metric", "value", "low", "high", "n"])
        for name, result in results.items():
            held = record.get(name, {})
            steps = "+".join(map(str, held.get("steps", {}).values()))
            rows = {f"{row}": cells for row, cells in result.rows.items() if row == "model" or name == BASE}
            for row, cells in rows.items():
                for metric, cell in cells.items():
                    numbers = [f"{each:.6g}" for each in (cell.value, cell.low, cell.high)]
                    writer.writerow([name, " ".join(held.get("words", [])), steps, row, metric, *numbers, cell.n])


def markdown(
    results: dict[str, Result], gains: dict[str, str], tries: dict[str, list[str]], record: dict[str, Any]
) -> list[str]:
    """The table, in the order of tries.yaml; then grey, which is the same for all."""
    heads = ["try", "change", "steps", "PSNR − base's", *(head for _, head, _ in COLUMNS)]
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- | --: | --: |{' --: |' * len(COLUMNS)}"]
    for name, result in results.items():
        steps = " + ".join(f"{each:,}" for each in record.get(name, {}).get("steps", {}).values())
        words = " ".join(f"`{word}`".replace("|", "\\|") for word in tries[name])
        lines.append(f"| {name} | {words or '–'} | {steps} | {gains.get(name, '–')} | {cells(result, 'model')} |")
    for row in (row for row in ("grey", "mean_ab") if row in results[BASE].rows):
        lines.append(f"| {row} | – | – | – | {cells(results[BASE], row)} |")
    return lines


def cells(result: Result, row: str) -> str:
    found = result.rows[row]
    return " | ".join(f"{found[name].value:.{digits}f}" if name in found else "–" for name, _, digits in COLUMNS)
