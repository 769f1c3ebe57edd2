"""Some steps of SGD for every network, as one process or as each of several; started by torchrun or plainly.

    python -m tests.helpers.two_processes FOLDER [--batch-norm] [--models cnn …] [--steps 20]

Writes what every network came to, `MODEL-PROCESSES.pt`.
"""

import argparse
import os
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from torch import nn

from colorize.evaluation.predictors import constant_ab
from colorize.tracking import Logger
from colorize.training.build import build_parts, build_trainer
from colorize.utils.distributed import init_process_group, leave, world_from_environment
from tests.helpers.configs import CONF, SMALL, own_loss


def without_batch_norm(module: nn.Module) -> None:
    """A group norm in the place of every batch norm, with its weights."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d | nn.BatchNorm1d):
            norm = nn.GroupNorm(1, child.num_features)
            norm.load_state_dict({"weight": child.weight.data, "bias": child.bias.data})
            setattr(module, name, norm)
        else:
            without_batch_norm(child)


def config(model: str, steps: int):
    words = [
        "experiment=smoke", "tracker=none", f"model={model}", f"loss={own_loss(model)}", *SMALL[model], "data.size=64",
        "trainer.batch_size=4", "trainer.ema=0.9", "optimizer=sgd", "optimizer.lr=0.001",
        "optimizer.momentum=0", "optimizer.critic.lr=0.0005",
        "schedule=single", f"schedule.all.steps={steps}", "metrics=quick",
        f"evaluate={{every: {steps}, photographs: 12, historical: false, judges: {{train_slice: false}}}}",
        "checkpoint.every=1000",
        *(["model.dropout=0.1"] if model == "diffusion" else []),
    ]  # fmt: skip
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=words)


def train(model: str, folder: Path, steps: int, batch_norm: bool = False) -> None:
    world, cfg = world_from_environment(os.environ), config(model, steps)
    parts = build_parts(cfg)
    if not batch_norm:
        without_batch_norm(parts.model)
        without_batch_norm(parts.loss)
    trainer = build_trainer(cfg, parts, folder / f"{model}-{world.size}", world)
    began = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    # a network may round otherwise for another number of pictures at a time; one colour does not
    scores, _ = parts.validator.score(constant_ab((9.0, -5.0)), trainer.device, world)
    assert trainer.fit(Logger())
    if world.is_main:
        terms = trainer.scores
        torch.save(
            {"state": trainer.state()["players"], "began": began, "first": scores, "last": terms},
            folder / f"{model}-{world.size}.pt",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch-norm", action="store_true")
    parser.add_argument("--models", nargs="+", default=list(SMALL))
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    init_process_group(torch.device("cpu"))
    for model in arguments.models:
        train(model, arguments.folder, arguments.steps, arguments.batch_norm)
    leave()


if __name__ == "__main__":
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    torch.set_num_threads(1)
    main()
