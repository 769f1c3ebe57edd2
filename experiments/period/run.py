"""What training through the film look gains on old photographs: trains, measures, paints, and writes the verdicts.

    python experiments/photographs.py FOLDER          # first: links to the photographs, in outputs/photographs
    python experiments/period/run.py                  # all of it, hours; stopped, it resumes exactly
    python experiments/period/run.py --report         # results.csv, the README's tables and the contact sheet alone

The verbs train, evaluate and paint do the work, in this process: Ctrl-C and SIGTERM save, as they do there. Words such
as steps_scale=0.01 are for every training.
"""

import argparse
import sys
from pathlib import Path

from colorize.run_folder import RunFolder
from colorize.sweeps.jobs import jobs_of
from colorize.utils.errors import guarded

sys.path.append(str(Path(__file__).parents[1]))
from study import BOTH_EXTRACTORS, evaluate, run, seed_of_job, train, variant_of

LOOKS, SEEDS = ("modern", "film", "mixed"), (0, 1, 2)
RECIPE = ["experiment=recipe/base", "schedule.all.steps=3200"]  # 12 minutes on two cores
RUNS, PAINTED, PHOTOGRAPHS = Path("outputs/period"), Path("outputs/period_painted"), Path("outputs/photographs")
PERIOD = ["protocol=period", BOTH_EXTRACTORS]
SETS = {
    "people_places": ["protocol=clean", "protocol.size=128", BOTH_EXTRACTORS, f"source={PHOTOGRAPHS / 'val'}"],
    "period": [*PERIOD, f"source={PHOTOGRAPHS / 'period'}"],
    "slides": [*PERIOD, f"source={PHOTOGRAPHS / 'slides'}"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="for every training")
    parser.add_argument("--report", action="store_true", help="write tables from what is measured already")
    arguments = parser.parse_args()
    if not arguments.report:
        grid = [f"seed={','.join(map(str, SEEDS))}", f"data/look={','.join(LOOKS)}"]  # all looks of one seed first
        train(RUNS, *RECIPE, *arguments.words, *grid)
        evaluate(RUNS, SETS)
        for job in jobs_of(RUNS):
            weights = RunFolder(job.folder).checkpoint("last")
            target = PAINTED / f"{variant_of(job)}-s{seed_of_job(job)}"
            run("paint", str(PHOTOGRAPHS / "fsa"), "--weights", str(weights), "-o", str(target))
    from gains import write_report

    return write_report(Path(__file__).parent, RUNS, PAINTED, PHOTOGRAPHS)


if __name__ == "__main__":
    raise SystemExit(guarded(main))
