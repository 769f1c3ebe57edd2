"""Score a trained network: the checkpoint of a run, on the photographs that the run validated on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from colorize.build import check_values, make, make_metrics, with_answers
from colorize.checkpoint import read, write_whole
from colorize.data import Photographs
from colorize.devices import choose_device
from colorize.evaluate import Evaluator
from colorize.models import Colorizer
from colorize.player import best_state, converge_spectral_norms
from colorize.runs import RunFolder
from colorize.terminal import measured_on, say, score_table


def score_run(cfg: DictConfig) -> int:
    """Print and keep the scores of `cfg.run`'s checkpoint; the exit status."""
    check_values(cfg)
    run = RunFolder(cfg.run)
    trained = with_answers(run.read_config(), run.read_resolved())
    device = choose_device(cfg.device)
    path = run.checkpoint(cfg.checkpoint)
    model, steps = load_trained(path, trained)
    photographs: Photographs = make(trained.data, "data")
    evaluator = Evaluator(photographs, make_metrics(trained.metrics)[0], batch_size=cfg.batch_size)
    scores, grid = evaluator.score(model.to(device).colorize, device)
    baselines = evaluator.baselines(device)
    title = f"{path.name} of step {steps}; {measured_on(len(photographs.val), photographs.size)}"
    score_table({trained.name: scores, **baselines.rows, "truth": baselines.truth}, title)
    result: dict[str, Any] = {
        "name": trained.name, "checkpoint": cfg.checkpoint, "steps": steps, "val": scores, "baseline": baselines.rows,
        "truth": baselines.truth, "manifest": photographs.manifest(),
    }  # fmt: skip
    path = run.folder / "results" / f"validation-{cfg.checkpoint}"
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(result, indent=2) + "\n"
    write_whole(path.with_suffix(".json"), lambda part: part.write_text(text, encoding="utf-8"))
    write_whole(path.with_suffix(".png"), lambda part: grid.save(part, format="PNG"))
    say(f"kept in {str(path.with_suffix('.json'))!r} and its .png")
    return 0


def load_trained(path: Path, trained: DictConfig) -> tuple[Colorizer, int]:
    """The network of a run's checkpoint in eval mode, and its step. Its weights are the checkpoint's alone."""
    state = read(path)
    settings = trained.model.copy()
    if "pretrained" in settings:
        settings.pretrained = False
    model: Colorizer = make(settings, "model")
    model.load_state_dict(best_state(state["players"]["model"]))
    converge_spectral_norms(model)
    return model.to(memory_format=torch.channels_last).eval(), state["steps"]
