"""Folders of links to the photographs that the experiments train and validate on: no photograph is copied.

    python experiments/photographs.py FOLDER [-o outputs/photographs]

FOLDER has people_places/, with its list of sources, caltech101/, bsds500_test/, historical_color/, plates_raw/,
documerica/, fsa_color/ and fsa_bw/. What is made:

    train/       people_places and Caltech-101, and the demo photographs that train, without those of people that joined
                 later
    train_open/  of people_places those that may be handed on, and all demo photographs that train
    val/         the photographs of people_places that validate
    bsds/        the test photographs of the Berkeley segmentation data set, BSDS500
    period/      colour photographs of 1905 to 1915: scans of three exposures, and composed ones of other scenes
    slides/      colour slides of 1942 and of 1972 to 1975
    fsa/         black-and-white photographs of 1935 to 1944
    train.tsv, train_open.tsv  how many photographs of each set, source and licence are in the two, for model cards

What `protocol=demo` measures is in no folder to train on, nor what it measured before the photographs of people joined.
"""

import argparse
import csv
import re
import shutil
from collections import defaultdict
from pathlib import Path

from colorize.data.sources import DEMO, demo_photographs

CALTECH = ("Caltech-101 (Fei-Fei et al. 2004)", "CC BY 4.0 as a data set; web pictures, not cleared one by one")
OF_SCANS = ("plate_", "loc_peasant_girls")  # composed photographs whose plates are in plates_raw/


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("outputs/photographs"))
    arguments = parser.parse_args()
    photos, output = arguments.folder.resolve(), arguments.output
    people = photos / "people_places"
    before, now = demo_photographs(people=False), demo_photographs()
    held_out = {*before[1].names(), *now[1].names()}
    earlier, demo = ({f"demo/{photo.name}": photo.path for photo in train if photo.name not in held_out}
                     for train in (before[0], now[0]))  # fmt: skip
    opened = {f"people_places/{Path(row['file']).name}": people / row["file"] for row in rows(people / "SOURCES.tsv")
              if row["group"] == "open" and row["file"].startswith("train/")}  # fmt: skip
    of_train = {"people_places": people / "train", "caltech101": photos / "caltech101" / "train"}
    link(output / "train", of_train | earlier)
    link(output / "train_open", opened | demo)
    link(output / "val", {"people_places": people / "val"})
    link(output / "bsds", {"bsds500_test": photos / "bsds500_test"})
    composed = {f"historical_color/{path.name}": path for path in existing(photos / "historical_color").iterdir()
                if not path.name.startswith(OF_SCANS)}  # fmt: skip
    link(output / "period", composed | {"plates_raw": photos / "plates_raw"})
    link(output / "slides", {name: photos / name for name in ("documerica", "fsa_color")})
    link(output / "fsa", {"fsa_bw": photos / "fsa_bw"})
    origins = {f"people_places/{Path(row['file']).name}":
                   (f"people_places, {row['set']}", row["repository"], row["licence"])
               for row in rows(people / "SOURCES.tsv") if row["file"].startswith("train/")}  # fmt: skip
    origins |= {f"demo/{row['file']}": ("demo photographs of colorize", row["package"], row["licence"])
                for row in rows(DEMO / "CREDITS.tsv")}  # fmt: skip
    for name in ("train", "train_open"):
        write_sources(output / name, origins)


def write_sources(folder: Path, origins: dict[str, tuple[str, str, str]]) -> None:
    """FOLDER.tsv: set, source, licence and the number of photographs; `origins` has the former by a file's name."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in (path for top in folder.iterdir() for path in top.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        kind, source, licence = ("caltech101", *CALTECH) if name.startswith("caltech101/") else origins[name]
        found[kind, plain_licence(licence)].append(source)
    with folder.with_suffix(".tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["set", "source", "licence as read", "photographs"])
        for (kind, licence), sources in sorted(found.items()):
            few = sorted(set(sources))
            table.writerow([kind, ", ".join(few) if len(few) < 4 else f"{len(few)} sources", licence, len(sources)])


def plain_licence(text: str) -> str:
    """The licence, without where it was read, as the lists of sources have it in brackets, and in one spelling."""
    text = re.sub(r" \(.*|,? at commit \w+|; credit in the caption.*", "", text)
    text = re.sub(r"\bCC[ -]?(BY(?:-[A-Z]{2})*|0)[ -]?(?=\d|$)", r"CC \1 ", text).replace("CC 0", "CC0").strip()
    return "public domain" if text.casefold() in ("public domain", "public-domain") else text


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def link(folder: Path, targets: dict[str, Path]) -> None:
    """A new folder in the place of what was there."""
    found = {name: existing(target) for name, target in targets.items()}
    shutil.rmtree(folder, ignore_errors=True)
    for name, target in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(target, target_is_directory=target.is_dir())
    files = [path for top in folder.iterdir() for path in top.rglob("*") if path.is_file() and path.suffix != ".tsv"]
    print(f"{folder}: {len(files)} photographs")


def existing(path: Path) -> Path:
    if not path.exists():
        raise SystemExit(f"photographs.py needs {path}, which is not there")
    return path


if __name__ == "__main__":
    main()
