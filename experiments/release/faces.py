"""Finds the faces that skin.py measures, and lays them out on a sheet to be looked at.

    python experiments/release/faces.py FOLDER [-o experiments/release/faces.csv] [--sheet faces.png]

The detector is MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks"), with the weights that the package facenet-pytorch carries, which is in the extra `dev`.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from colorize.data.collection import Collection
from colorize.data.listing import list_folder
from colorize.imaging.decode import open_rgb
from colorize.utils.errors import UserError, guarded

HERE = Path(__file__).parent
LEAST = 0.95  #    probability that it is a face
SHORTEST = 12  #   pixels of a box's shorter side: JPEG keeps colour at half resolution, and smaller faces have little
OUTSIDE = 0.1  #   of a box's side that may lie outside the photograph
ENLARGED = 2  #    times, since the detector knows faces of 20 pixels and more
TILE, COLUMNS = 96, 16


class Face(NamedTuple):
    """A box in pixels of its photograph; `probability` is the detector's."""

    photograph: str
    left: float
    top: float
    right: float
    bottom: float
    probability: float

    def central_half(self) -> tuple[slice, slice]:
        """Rows and columns of the box of half the width and height around the same centre: skin, without hair and
        background."""
        width, height = (self.right - self.left) / 4, (self.bottom - self.top) / 4
        sides = (self.top + height, self.bottom - height), (self.left + width, self.right - width)
        rows, columns = (slice(max(0, round(low)), max(1, round(high))) for low, high in sides)
        return rows, columns

    def is_measured(self, width: int, height: int) -> bool:
        """Whether it is probable and large enough, and lies inside a photograph of that size."""
        wide, high = self.right - self.left, self.bottom - self.top
        across, down = max(-self.left, self.right - width) / wide, max(-self.top, self.bottom - height) / high
        return self.probability >= LEAST and min(wide, high) >= SHORTEST and max(across, down) <= OUTSIDE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "faces.csv")
    parser.add_argument("--sheet", type=Path, help="a picture of all boxes, and of the part of each that is measured")
    arguments = parser.parse_args()
    faces = find_faces(arguments.folder)
    with arguments.output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([Face._fields, *faces])
    print(f"{len(faces)} faces in {len({face.photograph for face in faces})} photographs: {arguments.output}")
    if arguments.sheet:
        draw_sheet(arguments.folder, faces).save(arguments.sheet)
    return 0


def find_faces(folder: Path) -> list[Face]:
    """The faces of all photographs of a folder that `Face.is_measured`."""
    try:
        from facenet_pytorch import MTCNN
    except ModuleNotFoundError as error:
        raise UserError("the detector needs the package facenet-pytorch: pip install 'facenet-pytorch<2.6'") from error
    detector = MTCNN(keep_all=True, min_face_size=ENLARGED * SHORTEST, device="cpu")
    found = []
    for photo in Collection(list_folder(folder)):
        image = open_rgb(photo.path)
        boxes, probabilities = detector.detect(image.resize([ENLARGED * side for side in image.size]))
        for box, probability in zip(*((boxes, probabilities) if boxes is not None else ((), ())), strict=True):
            corners = (round(float(value) / ENLARGED, 1) for value in box)
            found.append(Face(photo.name, *corners, round(float(probability), 4)))
            if not found[-1].is_measured(*image.size):
                found.pop()
    return found


def read_faces(path: Path) -> list[Face]:
    with path.open(encoding="utf-8", newline="") as file:
        return [Face(row.pop("photograph"), **{key: float(value) for key, value in row.items()})
                for row in csv.DictReader(file)]  # fmt: skip


def draw_sheet(folder: Path, faces: Sequence[Face]) -> Image.Image:
    """Each face with as much around it, its box, its central half and its line in the table."""
    sheet = Image.new("RGB", (TILE * COLUMNS, TILE * ceil(len(faces) / COLUMNS)))
    for number, face in enumerate(faces):
        side = max(face.right - face.left, face.bottom - face.top)
        corner = [(low + high) / 2 - side for low, high in ((face.left, face.right), (face.top, face.bottom))]
        frame = [*corner, *(place + 2 * side for place in corner)]
        tile = open_rgb(folder / face.photograph).crop([round(place) for place in frame]).resize((TILE, TILE))
        draw, scale = ImageDraw.Draw(tile), TILE / (2 * side)
        rows, columns = face.central_half()
        boxes = {"lime": face[1:5], "cyan": (columns.start, rows.start, columns.stop, rows.stop)}
        for colour, box in boxes.items():
            draw.rectangle([(place - corner[i % 2]) * scale for i, place in enumerate(box)], outline=colour)
        draw.text((1, 0), str(number + 2), fill="yellow")
        sheet.paste(tile, (number % COLUMNS * TILE, number // COLUMNS * TILE))
    return sheet


if __name__ == "__main__":
    sys.exit(guarded(main))
