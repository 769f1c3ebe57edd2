"""Jobs of sweeps, finished without training."""

import sys

from colorize.utils.hydra_overrides import sweep_folder
from tests.helpers.configs import SMALL

SMOKE = ["experiment=smoke", "model=cnn", "loss=l1", *SMALL["cnn"], "metrics=quick", "evaluate.historical=false",
         "evaluate.judges.train_slice=false", "tracker=none", "hydra.callbacks.after_sweep.compare=false"]  # fmt: skip


def named(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["train.py", *words])
    return sweep_folder()


def finished(psnr, **more):
    return {"status": "finished", "val": {"psnr": psnr}, **more}
