"""Folders of links to the photographs that the experiments train and validate on: no photograph is copied.

    python experiments/photographs.py FOLDER [-o outputs/photographs]

FOLDER has people_places/, caltech101/ and open_people/, with their lists of sources. What is made:

    train/       people_places and Caltech-101, and the demo photographs that train
    train_open/  of people_places those that may be handed on, the demo photographs that train, and open_people
    val/         the photographs of people_places that validate

What `protocol=demo` measures is in no folder to train on: the demo photographs that validate, and those that would if
open_people's were among them.
"""

import argparse
import csv
import shutil
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from colorize.data.sources import DEMO, DEMO_VALIDATION


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("outputs/photographs"))
    arguments = parser.parse_args()
    photos, output = arguments.folder.resolve(), arguments.output
    people = photos / "people_places"
    demo = {path.name: path for path in sorted(DEMO.glob("*.jpg"))}
    colour = {row["file"]: photos / "open_people" / row["file"] for row in rows(photos / "open_people" / "CREDITS.tsv")
              if row["kind"] == "colour"}  # fmt: skip
    held_out = validating(demo) | validating({**demo, **colour})
    demo, colour = (without(paths, held_out) for paths in (demo, colour))
    opened = {Path(row["file"]).name: people / row["file"] for row in rows(people / "SOURCES.tsv")
              if row["group"] == "open" and row["file"].startswith("train/")}  # fmt: skip
    of_train = {"people_places": people / "train", "caltech101": photos / "caltech101" / "train"}
    link(output / "train", of_train | below("demo", demo))
    link(output / "train_open", below("people_places", opened) | below("demo", demo) | below("open_people", colour))
    link(output / "val", {"people_places": people / "val"})


def below(folder: str, paths: dict[str, Path]) -> dict[str, Path]:
    return {f"{folder}/{name}": path for name, path in paths.items()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def validating(names: Iterable[str]) -> set[str]:
    """Those whose names have the smallest SHA-256, as `colorize.data.Demo` has it."""
    return set(sorted(names, key=lambda name: sha256(name.encode()).digest())[:DEMO_VALIDATION])


def without(paths: dict[str, Path], names: set[str]) -> dict[str, Path]:
    return {name: path for name, path in paths.items() if name not in names}


def link(folder: Path, targets: dict[str, Path]) -> None:
    """A new folder in the place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, target in targets.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target, target_is_directory=target.is_dir())
    print(f"{folder}: {sum(path.is_file() for top in folder.iterdir() for path in top.rglob('*'))} photographs")


if __name__ == "__main__":
    main()
