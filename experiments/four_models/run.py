"""The study: trains six networks with six seeds each, measures them, writes the verdicts, and scales the best.

    python experiments/photographs.py FOLDER              # first: links to the photographs, in outputs/photographs
    python experiments/four_models/run.py                 # all of it, hours; stopped, it resumes exactly
    python experiments/four_models/run.py --report        # results.csv, verdicts.csv and the README's tables alone

The verbs train and evaluate do the work, in this process: Ctrl-C and SIGTERM save, as they do there.
"""

import argparse
import sys
from pathlib import Path

from colorize.utils.errors import guarded

sys.path.append(str(Path(__file__).parents[1]))
from declared import JUDGED, NETWORKS, SCALES, SEEDS
from study import BOTH_EXTRACTORS, evaluate, run, train

RUNS, SCALED = Path("outputs/four_models"), Path("outputs/four_models_scaling")
SQUARES = ["protocol=clean", "protocol.size=96", BOTH_EXTRACTORS]
SETS = {
    JUDGED: [*SQUARES, "source=outputs/photographs/val"],
    "bsds": [*SQUARES, "source=outputs/photographs/bsds"],
    "period": ["protocol=period", "source=outputs/photographs/period"],
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", action="store_true", help="write tables from what is measured already")
    if not parser.parse_args().report:
        recipes = ",".join(f"four_models/{name}" for name in NETWORKS)
        seeds = ",".join(map(str, SEEDS))
        train(RUNS, f"seed={seeds}", f"experiment={recipes}")  # all networks of one seed, then of the next
        evaluate(RUNS, SETS)
        best = find_best(RUNS)
        train(SCALED / best, f"steps_scale={','.join(map(str, SCALES))}", f"experiment=four_models/{best}")
        evaluate(SCALED / best, {JUDGED: SETS[JUDGED]})
        run("compare", "--pool", str(RUNS), "--protocol", JUDGED, "--html", str(RUNS / "compare.html"))
    from report import write_report

    return write_report(Path(__file__).parent, RUNS, SCALED)


def find_best(folder: Path) -> str:
    from results import judge_runs

    return judge_runs(folder).ranking[0]


if __name__ == "__main__":
    raise SystemExit(guarded(main))
