"""Tries of a recipe, one change at a time, each trained for the same minutes and measured in the same way.

    python experiments/recipe/run.py                       # all tries of tries.yaml
    python experiments/recipe/run.py base lite2            # some
    python experiments/recipe/run.py --speed               # steps a second: sizes, batches, bfloat16
    python experiments/recipe/run.py --table               # results.csv, and the table of README.md

A phase's length is never decided by the clock. So a few steps of every try are timed before any is trained, and each
try gets as many steps as take --minutes; both are kept in outputs/recipe/tries.json, and the number of steps is in the
run's config. Stopped, the same command resumes; what is trained and measured is not done again.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir

from colorize.config import conf_folder

HERE = Path(__file__).parent
FOLDER = Path("outputs/recipe")
RECORD = FOLDER / "tries.json"
TIMED, WARM = 24, 6  # steps of each phase that are timed, and those of them that do not count
COST_NOTHING = ("seed=", "optimizer.", "trainer.ema=", "data.crop=", "schedule=single", "schedule=linear_decay")
RESULT = "people_places"
MEASURE = ["checkpoint=last", "protocol=clean", "protocol.size=128", "source=outputs/photographs/val", f"name={RESULT}",
           "precision=float32", "protocol.extractors=[efficientnet_lite0,mobilenet_v2]", "metrics=default",
           "+metrics.ciede2000={_target_: colorize.metrics.CIEDE2000}", "track=false", "table=false"]  # fmt: skip
SPEEDS = {
    f"{size}, batch {batch}, {precision}": [f"data.size={size}", f"trainer.batch_size={batch}",
                                             f"trainer.precision={precision}"]
    for size, batch, precision in (
        (96, 16, "float32"), (96, 16, "bfloat16"), (128, 16, "float32"), (128, 16, "bfloat16"), (96, 8, "float32"),
        (96, 32, "float32"), (128, 8, "float32"), (128, 32, "float32"), (128, 32, "bfloat16"), (64, 16, "float32"),
    )
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="tries of tries.yaml; none: all")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training for each try (10)")
    parser.add_argument("--speed", action="store_true", help="time a few steps at several sizes instead")
    parser.add_argument("--table", action="store_true", help="write results.csv and the README's table instead")
    arguments = parser.parse_args()
    if arguments.speed:
        return print_speeds()
    if arguments.table:
        from table import write_table  # it imports torch

        return write_table(HERE, FOLDER, RESULT, read_record())
    tries: dict[str, list[str]] = yaml.safe_load((HERE / "tries.yaml").read_text(encoding="utf-8"))
    if unknown := set(arguments.names) - tries.keys():
        parser.error(f"tries.yaml has no {', '.join(sorted(unknown))}; it has {', '.join(tries)}")
    chosen = [name for name in arguments.names or tries if not is_done(FOLDER / name)]
    for name in chosen:  # all before the first is trained: together they take minutes in which nothing else should run
        count_steps(name, tries[name], arguments.minutes)
    failed = [name for name in chosen if not run_try(name, tries[name])]
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def count_steps(name: str, words: list[str], minutes: float) -> None:
    """Time a few steps of each phase, and keep how many take the whole time; tries of equal steps are timed once."""
    held = read_record().get(name, {})
    if (held.get("words"), held.get("minutes")) == (words, minutes):
        return
    phases = phase_steps(words)
    costly = [word for word in words if not word.startswith(COST_NOTHING)]
    alike = [other for other in read_record().values() if (other["costly"], other["minutes"]) == (costly, minutes)]
    seconds = alike[0]["seconds_per_step"] if alike else time_phases(costly, phases)
    whole = sum(phases[phase] * seconds[phase] for phase in phases)
    steps = {phase: max(1, round(phases[phase] * 60 * minutes / whole)) for phase in phases}
    print(f"{name}: {steps} steps of {seconds} s", flush=True)
    held = {"words": words, "costly": costly, "minutes": minutes, "seconds_per_step": seconds, "steps": steps}
    FOLDER.mkdir(parents=True, exist_ok=True)
    RECORD.write_text(json.dumps({**read_record(), name: held}, indent=1) + "\n", encoding="utf-8")


def run_try(name: str, words: list[str]) -> bool:
    """Train and measure; whether it is done. A try that fails does not keep the others from being run."""
    run = FOLDER / name
    steps = read_record()[name]["steps"]
    print(f"{name}: {steps} steps", flush=True)
    lengths = [f"schedule.{phase}.steps={count}" for phase, count in steps.items()]
    train = ["train.py", "experiment=recipe/base", *words, *lengths, f"name=recipe/{name}", "tracker=none"]
    return call(*train) and call("evaluate.py", f"run={run}", *MEASURE)


def is_done(run: Path) -> bool:
    summary = run / "summary.json"
    finished = summary.is_file() and json.loads(summary.read_text(encoding="utf-8"))["status"] == "finished"
    return finished and (run / "results" / f"{RESULT}.json").is_file()


def read_record() -> dict[str, Any]:
    """What was measured of each try before it began: name -> words, minutes, seconds of a step, steps."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}


def phase_steps(words: list[str]) -> dict[str, int]:
    """phase -> its steps in the config: how a schedule's phases share the time."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("train", overrides=["experiment=recipe/base", *words])
    return {str(name): phase.steps for name, phase in cfg.schedule.items()}


def time_phases(words: list[str], phases: dict[str, int]) -> dict[str, float]:
    """phase -> median seconds of an optimizer step, loading included."""
    lengths = [f"schedule.{phase}.steps={TIMED}" for phase in phases]
    with tempfile.TemporaryDirectory(prefix="recipe") as folder:
        quick = ["evaluate.photographs=4", "evaluate.every=1000000", "checkpoint.every=1000000", "metrics=quick"]
        train = ["train.py", "experiment=recipe/base", *words, *lengths, *quick, "trainer.log_every=1", "tracker=none",
                 f"hydra.run.dir={folder}/run", "name=timed"]  # fmt: skip
        if not call(*train, quiet=True):
            raise SystemExit(f"these words do not train: {' '.join(words)}")
        lines = map(json.loads, Path(folder, "run", "metrics.jsonl").read_text(encoding="utf-8").splitlines())
        rates = {line["step"]: line["images_per_second"] for line in lines if "images_per_second" in line}
        batch = photographs_of_a_step(Path(folder, "run", ".hydra", "config.yaml"))
    found = {}
    for number, phase in enumerate(phases):
        first = number * TIMED
        found[phase] = round(statistics.median(batch / rates[s] for s in range(first + WARM + 1, first + TIMED + 1)), 4)
    return found


def photographs_of_a_step(config: Path) -> int:
    trainer = yaml.safe_load(config.read_text(encoding="utf-8"))["trainer"]
    return trainer["batch_size"] * trainer["accumulate"]


def print_speeds() -> int:
    for name, words in SPEEDS.items():
        (seconds,) = time_phases(words, phase_steps(words)).values()
        batch = int(words[1].partition("=")[2])
        hours = 400_000 / batch * seconds / 3600
        print(f"{name}: {seconds:.3f} s a step, {batch / seconds:.1f} photographs a second, 400,000 in {hours:.1f} h",
              flush=True)  # fmt: skip
    return 0


def call(*words: str, quiet: bool = False) -> bool:
    """Whether the command succeeded. Ctrl-C reaches it as well; it saves, and then this program ends too."""
    done = subprocess.run([sys.executable, *words], check=False, capture_output=quiet, text=True)
    if done.returncode and quiet:
        print(done.stdout[-2000:], done.stderr[-2000:])
    if done.returncode in (75, 130):
        raise SystemExit(done.returncode)
    return done.returncode == 0


if __name__ == "__main__":
    raise SystemExit(main())
