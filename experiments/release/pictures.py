"""Pictures of what the shipped weights make of photographs that the package holds, as `colorize paint` writes them.

    python experiments/release/pictures.py

docs/painted.jpg shows its old photographs, for README.md; failures.jpg, for the model card, those of FAILURES, none of
which trained.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from colorize.data.sources import DEMO, SHIPPED
from colorize.imaging.image_io import labelled_grid
from colorize.utils.errors import guarded

sys.path.append(str(Path(__file__).parents[1]))
from study import paint

HERE = Path(__file__).parent
OLD = ("migrant_mother_1936", "armstrong_1946", "tesla_lamp_1899", "wardenclyffe_1904")
FAILURES = (
    "gcompris_categorization_others_volleyball",
    "gcompris_categorization_fishes_fish6",
    "lomiri_seeding_by_Clements_Engelhardt",
    "gcompris_categorization_tools_screwDriver1",
)
SIDE = 224  # pixels of a picture's longer side


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    draw(HERE.parents[1] / "docs" / "painted.jpg", [SHIPPED / f"{name}.jpg" for name in OLD])
    draw(HERE / "failures.jpg", [DEMO / f"{name}.jpg" for name in FAILURES], truth=True)
    return 0


def draw(path: Path, photographs: Sequence[Path], *, truth: bool = False) -> None:
    """The photographs in grey, painted, and in colour where they have `truth`."""
    shown = [Image.open(each) for each in photographs]
    rows = {"grey": [each.convert("L") for each in shown], "painted": paint(photographs)}
    labelled_grid(rows | ({"truth": shown} if truth else {}), [each.stem for each in photographs], SIDE).save(
        path, quality=90
    )


if __name__ == "__main__":
    raise SystemExit(guarded(main))
