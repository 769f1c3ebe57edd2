"""How far painted skin is from the truth's colour, for dark, middle and light faces.

    python experiments/release/skin.py RUN FOLDER [--faces experiments/release/faces.csv] [-o skin]

RUN is a run's folder, an export, a published file, or a folder of pictures that were painted of the photographs in
FOLDER, whose faces are in the table that faces.py made. Photographs are measured whole and at their own size; a network
colours them as `colorize paint` does. Writes skin.csv, a line for each row, third and metric, and skin.md.
"""

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from faces import HERE, Face, read_faces
from torch import Tensor

from colorize.evaluation.bootstrap import function_interval
from colorize.evaluation.measure import Measurement
from colorize.evaluation.network import EvaluatedNetwork, open_network
from colorize.evaluation.painted import match_pictures
from colorize.evaluation.predictors import Predictor, constant_ab, network_predictor, predictor_of
from colorize.evaluation.protocol import Protocol
from colorize.evaluation.selection import Selection, select_photographs
from colorize.metrics.metric_info import Interval
from colorize.utils.devices import choose_device
from colorize.utils.distributed import World
from colorize.utils.errors import UserError, guarded

THIRDS = ("dark", "middle", "light")
WHOLE = 2**16  # pixels of the longer side: photographs are not reduced
ERROR, DIFFERENCE, CHROMA = "ab error", "ab error less grey's", "chroma, of the truth's"


class Skin(NamedTuple):
    """The central half of a face's box: the truth's median L* and mean chroma; row -> the mean distance of its ab from
    the truth's, and its mean chroma. CIE units."""

    lightness: float
    chroma: float
    errors: dict[str, float]
    chromas: dict[str, float]


Measured = dict[Face, Skin]
Table = dict[tuple[str, str, str], Interval]  # (row, third, metric) -> its value; n counts photographs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("folder")
    parser.add_argument("--faces", type=Path, default=HERE / "faces.csv")
    parser.add_argument("--checkpoint", default="best", help="of a run folder; or last, or a step")
    parser.add_argument("-o", "--output", type=Path, default=Path("skin"), help="without suffix")
    arguments = parser.parse_args()
    network = open_network(arguments.run, arguments.checkpoint, None)
    measured = measure_faces(network, arguments.folder, read_faces(arguments.faces))
    groups = split_by_lightness(measured)
    table = summarize(measured, groups)
    write_csv(arguments.output.with_suffix(".csv"), table, groups)
    lines = markdown(table, measured, groups, network.name)
    arguments.output.with_suffix(".md").write_text(lines + "\n", encoding="utf-8")
    print(lines)
    return 0


def measure_faces(network: EvaluatedNetwork, folder: str, faces: Sequence[Face]) -> Measured:
    """Raises `UserError` where a photograph of `faces` is not in the folder."""
    protocol = Protocol(name="skin", source=folder, size=WHOLE, geometry="long", predict="trained", extractors=[])
    chosen = select_photographs(protocol)
    of: dict[str, list[Face]] = {}
    for face in faces:
        of.setdefault(face.photograph, []).append(face)
    if missing := of.keys() - set(chosen.photos.names()):
        raise UserError(f"{folder!r} lacks {min(missing)!r}, whose faces are in the table: it is of other photographs")
    places = [place for place, name in enumerate(chosen.photos.names()) if name in of]
    chosen = replace(chosen, photos=chosen.photos.select(np.array(places, dtype=np.int32)))
    device = choose_device("auto")
    rows = {"network": predictor(network, chosen, protocol, device), "grey": predictor_of(constant_ab((0, 0)))}
    measurement = Measurement(protocol, chosen, {}, [], device, 1, World())
    found: Measured = {}
    with torch.no_grad():
        for batch in measurement.batches(range(len(places))):
            assert batch.true is not None
            painted = {row: predict(batch).painted.lab[0].cpu() for row, predict in rows.items()}
            for face in of[batch.names[0]]:
                found[face] = measure_face(face, batch.true.lab[0].cpu(), painted)
    return found


def predictor(network: EvaluatedNetwork, chosen: Selection, protocol: Protocol, device: torch.device) -> Predictor:
    if network.pictures:
        return match_pictures(network.pictures, chosen, protocol).predictor(protocol)
    assert network.model is not None
    return network_predictor(network.model.to(device), "lab_l", network.size, upsampling=protocol.upsampling)


def measure_face(face: Face, true: Tensor, painted: Mapping[str, Tensor]) -> Skin:
    """Pictures are (3, H, W) Lab, CIE units."""
    rows, columns = face.central_half()
    L, ab = true[0, rows, columns], true[1:, rows, columns]
    its = {row: lab[1:, rows, columns] for row, lab in painted.items()}
    errors = {row: mean_length(each - ab) for row, each in its.items()}
    return Skin(L.median().item(), mean_length(ab), errors, {row: mean_length(each) for row, each in its.items()})


def mean_length(ab: Tensor) -> float:
    return ab.norm(dim=0).mean().item()


def split_by_lightness(measured: Measured) -> dict[str, list[Face]]:
    """Thirds of the faces by median L* of their central halves, and all. Raises `UserError` for too few."""
    if len(measured) < len(THIRDS):
        raise UserError(f"there are {len(measured)} faces: too few for thirds")
    ordered = sorted(measured, key=lambda face: measured[face].lightness)
    parts = np.array_split(np.arange(len(ordered)), len(THIRDS))
    return {**{name: [ordered[i] for i in part] for name, part in zip(THIRDS, parts, strict=True)}, "all": ordered}


def summarize(measured: Measured, groups: Mapping[str, Sequence[Face]]) -> Table:
    table: Table = {}
    for name, faces in groups.items():
        found = [measured[face] for face in faces]
        columns = {
            ("network", ERROR): [(skin.errors["network"], 1.0) for skin in found],
            ("grey", ERROR): [(skin.errors["grey"], 1.0) for skin in found],
            ("network", DIFFERENCE): [(skin.errors["network"] - skin.errors["grey"], 1.0) for skin in found],
            ("network", CHROMA): [(skin.chromas["network"], skin.chroma) for skin in found],
        }
        for (row, metric), values in columns.items():
            table[row, name, metric] = ratio_of_sums(faces, values)
    return table


def ratio_of_sums(faces: Sequence[Face], values: Sequence[tuple[float, float]]) -> Interval:
    """The sum of the first values over that of the second, which is their mean where the second are 1. The 95 %
    interval is over photographs: faces of one photograph are not independent."""
    names = sorted({face.photograph for face in faces})
    sums = np.zeros((len(names), 2))
    np.add.at(sums, [names.index(face.photograph) for face in faces], np.array(values))
    return function_interval(sums, lambda means: means[..., 0] / means[..., 1])


def write_csv(path: Path, table: Table, groups: Mapping[str, Sequence[Face]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["row", "third", "metric", "value", "low", "high", "n", "faces"])
        for (row, third, metric), cell in table.items():
            numbers = [f"{each:.4g}" for each in (cell.value, cell.low, cell.high)]
            writer.writerow([row, third, metric, *numbers, cell.n, len(groups[third])])


def markdown(table: Table, measured: Measured, groups: Mapping[str, Sequence[Face]], network: str) -> str:
    """The table, a line for each third."""
    heads = ["faces", "L*", "number", "photographs", f"{ERROR} ↓, {network}", f"{ERROR} ↓, grey", DIFFERENCE, CHROMA]
    return "\n".join(["| " + " | ".join(heads) + " |", "| --- " + "| --: " * (len(heads) - 1) + "|",
                      *(line(name, faces, table, measured) for name, faces in groups.items())])  # fmt: skip


def line(name: str, faces: Sequence[Face], table: Table, measured: Measured) -> str:
    lightness = [measured[face].lightness for face in faces]
    shown = [("network", ERROR, ".1f"), ("grey", ERROR, ".1f"), ("network", DIFFERENCE, "+.1f"),
             ("network", CHROMA, ".2f")]  # fmt: skip
    cells = [name, f"{min(lightness):.0f} to {max(lightness):.0f}", str(len(faces)), str(table["grey", name, ERROR].n)]
    cells += [written(table[row, name, metric], form) for row, metric, form in shown]
    return "| " + " | ".join(cells) + " |"


def written(cell: Interval, form: str) -> str:
    return f"{cell.value:{form}} ({cell.low:{form}} to {cell.high:{form}})"


if __name__ == "__main__":
    sys.exit(guarded(main))
