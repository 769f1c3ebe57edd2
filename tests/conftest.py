"""Fixtures: composed configs, a folder of small photographs, trained runs, and a run in a process of its own."""

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # bit for bit is a CPU's promise; say 0 to try these tests on a GPU
os.environ["HF_HUB_OFFLINE"] = "1"  # read when the hub's client is imported: no test waits for a network


import hydra
import torch
from filelock import FileLock
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image

from colorize.cli import main
from tests.helpers.composed import composed_once  # noqa: F401  (a fixture)
from tests.helpers.configs import CONF, ROOT, SMALL, tiny_words
from tests.helpers.evaluated import evaluated  # noqa: F401  (a fixture)
from tests.helpers.published import deterministic, foreign  # noqa: F401  (fixtures)
from tests.helpers.wandb_server import WandbServer

HYDRA = Path(hydra.__file__).parent

# The runs that are stopped by Ctrl-C need one that is heard, and a shell's background job is started with it ignored
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

torch.set_num_threads(1)  # the pictures are tiny: a second thread only waits


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")
    parser.addoption("--part", metavar="K/N", help="of the tests that take minutes, run every N-th from the K-th on")


def pytest_collection_modifyitems(config, items):
    part = config.getoption("--part") or ("0/1" if config.getoption("--slow") else None)
    slow = [item for item in items if "slow" in item.keywords]
    first, step = map(int, part.split("/")) if part else (len(slow), 1)
    for number, item in enumerate(slow):
        if number < first or (number - first) % step:
            item.add_marker(pytest.mark.skip(reason="takes minutes; run with --slow"))


@pytest.fixture(scope="session", autouse=True)
def offline(tmp_path_factory):
    """No test waits for a network that may not be there, or leaves anything in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("COLORIZE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(autouse=True)
def logging_restored():
    """Hydra lets every logger write to what is stdout when a command starts, in a test a stream that is closed at its
    end: what a later test's libraries say must not go there. And it closes all handlers of before: that of absl, which
    OpenVINO imports, closes pytest's stream with it."""
    root = logging.getLogger()
    handlers, level, all_of_them = [*root.handlers], root.level, [*logging._handlerList]
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging._handlerList[:] = all_of_them


@pytest.fixture(scope="session", autouse=True)
def parsed_once():
    """The files of conf/ and of Hydra's own configs are parsed once in a process: YAML is most of what it takes to
    compose a config, which every command does three times."""
    parse, parsed, folders = OmegaConf.load, {}, tuple(f"{folder}{os.sep}" for folder in (CONF, HYDRA))

    def load(file):
        path = str(getattr(file, "name", ""))
        if not path.startswith(folders):
            return parse(file)
        if path not in parsed:
            parsed[path] = parse(file)
        return deepcopy(parsed[path])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmegaConf, "load", load)
        yield


@pytest.fixture
def config():
    def build(*overrides: str, name: str = "train"):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose(name, overrides=list(overrides))

    return build


@pytest.fixture
def tiny(config):
    """The smallest run of any model and loss: `tiny("model=cnn", …)`. It paints no old photographs unless told."""

    def build(*overrides: str):
        return config("experiment=smoke", "tracker=none", "evaluate.historical=false", *overrides)

    return build


@pytest.fixture
def small(tiny):
    """The same with a network of a few channels: `small("gan", "loss=l1")`."""
    return lambda model, *overrides: tiny(f"model={model}", *SMALL.get(model, []), *overrides)


@pytest.fixture(scope="session")
def once(tmp_path_factory, offline):
    """A folder that one of pytest's processes makes and all of them read: `once("name", make)`, `make(folder)` fills
    it. Whoever wants to write into it takes a copy."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, whole = shared / name, shared / f"{name}.whole"
        with FileLock(shared / f"{name}.lock"):
            if not whole.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                whole.touch()
        return folder

    return made


@pytest.fixture(scope="session")
def trained(once):
    """The folder of a finished run of `tiny_words`, trained once in a test run: `trained("cnn", "l1", "seed=1")`.

    For reading alone; `run_folder` gives a copy.
    """

    def train(model: str = "cnn", loss: str | None = "l1", *words: str) -> Path:
        line = tiny_words(model, loss, *words)
        key = sha256(" ".join(line).encode()).hexdigest()[:8]

        def make(folder: Path) -> None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", ["colorize"])
                assert main(["train", *line, f"hydra.run.dir='{folder / 'run'}'"]) == 0

        return once(f"{model}-{key}", make) / "run"

    return train


@pytest.fixture
def run_folder(trained, tmp_path):
    """A copy of a trained run that may be written into: `run_folder("gan_unet", "l1", to="outputs/mine")`.

    By default `outputs/toy` of the test's folder, where `inside` and `command` find it.
    """

    def copy(model: str = "cnn", loss: str | None = "l1", *words: str, to: str | Path = "outputs/toy") -> Path:
        return shutil.copytree(trained(model, loss, *words), tmp_path / to)

    return copy


@pytest.fixture
def photographs(tmp_path):
    """A folder of 12 small photographs in two class folders, and two in none: smooth noise, so that JPEG keeps it."""
    random = np.random.default_rng(0)
    for i in range(14):
        folder = tmp_path / "photographs" / ("cats" if i < 6 else "dogs" if i < 12 else ".")
        folder.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(random.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        coarse.resize((60, 48), Image.Resampling.BICUBIC).save(folder / f"photo {i}.jpg", quality=95)
    return tmp_path / "photographs"


@pytest.fixture
def inside(tmp_path, monkeypatch, capsys):
    """The same inside this process, for the many that would take seconds to start: `inside("train", "seed=x")`."""
    monkeypatch.chdir(tmp_path)

    def run(verb: str, *words: str):
        monkeypatch.setattr(sys, "argv", ["colorize"])
        capsys.readouterr()
        code = main([verb, *map(str, words)])
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(words, code, printed.out, printed.err)

    return run


@pytest.fixture
def command(tmp_path):
    """Run a command of the project in its own process: `command("train.py", "experiment=smoke")`."""

    def run(*words: str, check: bool = True, **kwargs):
        script, *rest = map(str, words)
        environment = {**os.environ, **kwargs.pop("env", {})}
        done = subprocess.run(
            [sys.executable, ROOT / script, *rest], cwd=kwargs.pop("cwd", tmp_path), env=environment, text=True,
            capture_output=True, timeout=280, check=False, **kwargs,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, done.stderr + done.stdout
        return done

    return run


@pytest.fixture
def server():
    served = WandbServer()
    yield served
    served.stop()
