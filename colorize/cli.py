"""The console command: `colorize VERB …`. What a user gets wrong ends in one sentence and a non-zero exit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from colorize.errors import UserError

USAGE = """colorize VERB …

  train      [group=option …] [key=value …]    train a colorizer; --help lists the groups
  evaluate   run=FOLDER [key=value …]          score a run's checkpoint
  compare    FOLDER FOLDER …                   put runs side by side
"""


def main(argv: list[str] | None = None) -> int:
    """Run a verb; the exit status."""
    verb, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if verb in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    try:
        if verb not in VERBS:
            raise UserError(f"there is no verb {verb!r}; there are {', '.join(VERBS)}")
        return VERBS[verb](rest)
    except UserError as error:
        return refuse(error)
    except OSError as error:
        if os.environ.get("HYDRA_FULL_ERROR"):
            raise
        print(f"{error.strerror or error}: {error.filename or 'while writing'}", file=sys.stderr)
        return 1


def refuse(error: UserError) -> int:
    """Say what is wrong. HYDRA_FULL_ERROR=1 shows where, too."""
    if os.environ.get("HYDRA_FULL_ERROR"):
        raise error
    print(error, file=sys.stderr)
    return error.exit_code


def train(argv: list[str]) -> int:
    def job(cfg, folder: str, overrides: list[str]) -> int:
        from colorize.training import train  # torch and its like take seconds: not before the words are checked

        return train(cfg, folder, overrides)

    return run_hydra("train", argv, job)


def evaluate(argv: list[str]) -> int:
    def job(cfg, folder: str, overrides: list[str]) -> int:
        from colorize.scoring import score_run

        return score_run(cfg)

    return run_hydra("evaluate", argv, job)


def compare(argv: list[str]) -> int:
    from colorize.comparing import compare_runs

    return compare_runs(argv)


VERBS: dict[str, Callable[[list[str]], int]] = {"train": train, "evaluate": evaluate, "compare": compare}


def conf_folder() -> Path:
    """`conf/` beside the package in a checkout, inside the package where it was installed."""
    here = Path(__file__).resolve().parent
    beside = here.parent / "conf"
    return beside if (beside / "train.yaml").is_file() else here / "conf"


def run_hydra(config_name: str, argv: list[str], job: Callable[..., int]) -> int:
    """Compose a config from `argv` and run `job` on it: once, or once for each job of a multirun."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from colorize.overrides import check_overrides

    OmegaConf.register_new_resolver("seeded", seeded, replace=True)
    check_overrides(conf_folder(), config_name, argv)
    codes = [0]

    @hydra.main(config_path=str(conf_folder()), config_name=config_name, version_base="1.3")
    def task(cfg) -> None:
        context = HydraConfig.get()
        try:
            codes.append(job(cfg, context.runtime.output_dir, list(context.overrides.task)))
        except UserError as error:  # the other jobs of a multirun go on
            codes.append(refuse(error))

    sys.argv = [config_name, *argv]
    task()
    return max(codes)


def seeded(name: str, seed: int) -> str:
    """The run name of a recipe: seed 0 has it plain, the others say their seed."""
    return name if seed == 0 else f"{name}-s{seed}"
