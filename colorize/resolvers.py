"""What configs may call in ${name:…}."""

from __future__ import annotations

from omegaconf import OmegaConf

from colorize.sweeps.naming import job_folder, sweep_folder


def register() -> None:
    OmegaConf.register_new_resolver("seeded", seeded, replace=True)
    OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
    OmegaConf.register_new_resolver(
        "sweep_folder", sweep_folder, replace=True, use_cache=True
    )  # jobs keep their sweep's


def seeded(name: str, seed: int) -> str:
    """The run name of a recipe: seed 0 has it plain, the others say their seed."""
    return name if seed == 0 else f"{name}-s{seed}"
