"""Tables of experiments: what runs' summaries say, kept in `experiments/NAME/runs.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from generator.text import table

KEPT = ("name", "steps", "parameters", "val", "baseline", "truth", "validation", "versions", "commit", "device", "seed")
COLUMNS = {"psnr": ("PSNR dB", ".2f"), "ssim": ("SSIM", ".4f"), "colorfulness": ("colourfulness", ".1f"),
           "chroma": ("chroma, of the truth's", ".2f")}  # fmt: skip


def keep(folder: Path, runs: list[Path]) -> None:
    """Copy from each run's `summary.json` what the table and its reader need."""
    held = [json.loads((run / "summary.json").read_text(encoding="utf-8")) for run in runs]
    text = json.dumps([{key: one[key] for key in KEPT} for one in held], indent=1, ensure_ascii=False)
    (folder / "runs.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def runs_table(folder: Path) -> str:
    """A row for each run, then the baselines, which are the same for all."""
    runs = json.loads((folder / "runs.json").read_text(encoding="utf-8"))
    first = runs[0]
    rows = {f"`{run['name']}`, seed {run['seed']}": run["val"] for run in runs}
    rows |= {"grey": first["baseline"]["grey"], "mean ab of the training photographs": first["baseline"]["mean_ab"],
             "truth": first["truth"]}  # fmt: skip
    grey = first["baseline"]["grey"]["psnr"]
    lines = [
        [name, *(_number(values.get(key), form) for key, (_, form) in COLUMNS.items()), _over(values, grey)]
        for name, values in rows.items()
    ]
    heads = ["", *(title for title, _ in COLUMNS.values()), "PSNR over grey's"]
    checked, versions = first["validation"], first["versions"]
    return (
        f"{table(heads, lines, 'l' + 'r' * (len(heads) - 1))}\n\n"
        f"*{checked['photographs']} validation photographs, centre square at {checked['size']}², the averaged weights "
        f"of step {first['steps']}; {first['device']}, Python {versions['python']}, torch {versions['torch']}.*"
    )


def _number(value: Any, form: str) -> str:
    return "–" if value is None else format(value, form)


def _over(values: dict[str, float], grey: float) -> str:
    return "–" if values.get("psnr", grey) == grey else f"{values['psnr'] - grey:.2f}"
