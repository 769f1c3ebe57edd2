"""Draws pictures.jpg: what the first seed of each network makes of photographs of the package.

    python experiments/four_models/pictures.py

None of them trained these networks.
"""

import argparse
import sys
from pathlib import Path

from PIL import Image

from colorize.data.sources import DEMO
from colorize.imaging.image_io import labelled_grid
from colorize.run_folder import RunFolder
from colorize.sweeps.jobs import jobs_of
from colorize.utils.errors import guarded

sys.path.append(str(Path(__file__).parents[1]))
from declared import NETWORKS
from run import RUNS
from study import paint, seed_of_job, variant_of

HERE = Path(__file__).parent
SHOWN = (
    "pip_grace_hopper",
    "gcompris_music_mexico",
    "pip_chelsea",
    "lomiri_Kleiber_by_Lukas_Baubkus",
    "gcompris_explore_world_animals_animals_scarlet_macaw",
    "lomiri_picosdeeuropa_by_Aitzol_Berasategi",
    "gcompris_categorization_monuments_tajMahal",
    "gcompris_categorization_renewable_windmill3",
)
SIDE = 144  # pixels of a picture's longer side


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    photographs = [DEMO / f"{name}.jpg" for name in SHOWN]
    weights = {
        variant_of(job): RunFolder(job.folder).checkpoint("last") for job in jobs_of(RUNS) if seed_of_job(job) == 0
    }
    truth = [Image.open(each) for each in photographs]
    rows = {"grey": [each.convert("L") for each in truth]}
    for name in NETWORKS:
        rows[name] = paint(photographs, "--weights", str(weights[name]))
    labelled_grid(rows | {"truth": truth}, SHOWN, SIDE).save(HERE / "pictures.jpg", quality=85)
    return 0


if __name__ == "__main__":
    raise SystemExit(guarded(main))
