"""Fixtures of this folder's tests."""

import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from colorize.cli import main
from colorize.run_folder import RunFolder
from tests.helpers.resumed import TINY


@pytest.fixture
def kept(once):
    """A folder of photographs, a run of four steps on it, and the same after two: trained once, copied by each test."""

    def words_for(home):
        return [*TINY, "tracker=none", "data=folder", f"data.root={home / 'photos'}", "name=run"]

    def make(home):
        random = np.random.default_rng(0)
        (home / "photos").mkdir()
        for i in range(12):
            Image.fromarray(random.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(home / "photos" / f"{i:02d}.png")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["colorize"])
            for name, more in (("run", []), ("half", ["schedule.all.steps=2"])):
                assert main(["train", *words_for(home), *more, f"hydra.run.dir={home / name}"]) == 0

    home = once("kept", make)
    return home, words_for(home)


@pytest.fixture
def finished(kept, tmp_path):
    """A copy of that run, its photographs and the words that it was started with."""
    home, words = kept
    shutil.copytree(home / "photos", tmp_path / "photos")
    run = RunFolder(shutil.copytree(home / "run", tmp_path / "outputs" / "run"))
    config = run.read_config()
    config.data.root = str(tmp_path / "photos")
    OmegaConf.save(config, run.config)
    half = home / "half" / "checkpoints"
    words = [word.replace(str(home), str(tmp_path)) for word in words]
    return SimpleNamespace(folder=run.folder, photos=tmp_path / "photos", words=words, run=run, half=half)
