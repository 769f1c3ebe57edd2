"""The study: trains six networks with six seeds each, measures them, writes the verdicts, and scales the best.

    python experiments/photographs.py FOLDER              # first: links to the photographs, in outputs/photographs
    python experiments/four_models/run.py                 # all of it, hours; stopped, it resumes exactly
    python experiments/four_models/run.py --report        # results.csv, verdicts.csv and the README's tables alone

Everything happens in this process by the verbs train and evaluate, so that Ctrl-C and SIGTERM save, as they do there.
"""

import argparse
from pathlib import Path

from declared import JUDGED, NETWORKS, SCALES, SEEDS

from colorize.cli import main as colorize
from colorize.utils.errors import guarded

RUNS, SCALED = Path("outputs/four_models"), Path("outputs/four_models_scaling")
SQUARES = [  # the second extractor trained none of the networks
    "protocol=clean", "protocol.size=96", "protocol.extractors=[efficientnet_lite0,mobilenet_v2]"
]  # fmt: skip
PRIMARY = "+metrics.ciede2000={_target_: colorize.metrics.CIEDE2000}"
ALWAYS = ["checkpoint=last", "metrics=default", PRIMARY, "track=false", "table=false"]
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
        evaluate(RUNS, *SETS)
        best = find_best(RUNS)
        train(SCALED / best, f"steps_scale={','.join(map(str, SCALES))}", f"experiment=four_models/{best}")
        evaluate(SCALED / best, JUDGED)
        run("compare", "--pool", str(RUNS), "--protocol", JUDGED, "--html", str(RUNS / "compare.html"))
    from report import write_report

    return write_report(Path(__file__).parent, RUNS, SCALED)


def find_best(folder: Path) -> str:
    from results import judge_runs

    return judge_runs(folder).ranking[0]


def train(folder: Path, *words: str) -> None:
    alone = ["tracker=none", "hydra.callbacks.after_sweep.compare=false"]
    run("train", "-m", *words, *alone, f"hydra.sweep.dir={folder}")


def evaluate(folder: Path, *names: str) -> None:
    for name in names:
        run("evaluate", f"run={folder}", f"name={name}", *SETS[name], *ALWAYS)


def run(*words: str) -> None:
    """A verb of the console command. Where it fails or is stopped, so is this program, with its exit status."""
    if status := colorize([*words]):
        raise SystemExit(status)


if __name__ == "__main__":
    raise SystemExit(guarded(main))
