"""Fixtures: composed configs, a folder of small photographs, trained runs, and a run in a process of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # bit for bit is a CPU's promise; say 0 to try these tests on a GPU
os.environ["HF_HUB_OFFLINE"] = "1"  # read when the hub's client is imported: no test waits for a network

import torch
from filelock import FileLock
from hydra import compose, initialize_config_dir
from PIL import Image

from colorize.cli import main
from colorize.losses import L1, RGB, ChromaL1, NoiseError, Perceptual, SquaredError

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
BIN = Path(sys.executable).parent  # where the console commands are
ALIASES = {path.stem for path in (CONF / "loss").glob("*.yaml") if "defaults:" in path.read_text()}  # name another file

# A few channels of each network, for tests that train it; a model that is not named here is trained as conf/ has it
DECODERS = ["model.widths=[16,16,16]", "model.queries=8", "model.dim=16", "model.heads=2", "model.feedforward=32"]
SMALL = {
    "cnn": ["model.width=0.1", "model.global_size=32"],
    "diffusion": ["model.encoder=null", "model.widths=[8,16,16]", "model.time=16", "model.dropout=0"],
    "gan": ["model.encoder=test_resnet", "model.width=0.2"],
    "gan_unet": ["model.widths=[8,8,16,32]"],
    "multicolor": ["model.encoder=test_convnext", *DECODERS, "model.complement=[8,16,8]"],
    "transformer": ["model.encoder=test_convnext", *DECODERS],
}

KEYS = ROOT.parent / "shared" / "keys"
PHOTOS = ROOT.parent / "shared" / "photos"
published = pytest.mark.skipif(not KEYS.is_dir(), reason=f"the published key lists are not at {KEYS}")
photographed = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"the old photographs are not at {PHOTOS}")

# The runs that are stopped by Ctrl-C need one that is heard, and a shell's background job is started with it ignored
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

torch.set_num_threads(1)  # the pictures are tiny: a second thread only waits


def options(group: str) -> list[str]:
    """What `conf/` holds for a group, the loss aliases left out."""
    found = {path.stem for path in (CONF / group).glob("*.yaml")}
    return sorted(found - ALIASES if group == "loss" else found)


def own_loss(model: str) -> str:
    """The loss that a model has by default, or the plainest where it brings none."""
    return model if (CONF / "loss" / f"{model}.yaml").exists() else "l1"


# Terms that are nothing where the prediction is the truth: a network must lessen them, whatever else its loss wants
COMPARING = (L1, SquaredError, ChromaL1, RGB, NoiseError, Perceptual)


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="also run the tests that take minutes")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="takes minutes; run with --slow"))


@pytest.fixture(scope="session", autouse=True)
def offline(tmp_path_factory):
    """No test waits for a network that may not be there, or leaves anything in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("COLORIZE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
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


def tiny_words(model: str, loss: str | None = None, *words: str) -> list[str]:
    """The command line of the smallest run of a model, by default with its own loss."""
    chosen = [f"model={model}", f"loss={loss or own_loss(model)}", *SMALL.get(model, [])]
    return ["experiment=smoke", "tracker=none", "evaluate.historical=false", *chosen, *words]


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


@pytest.fixture(scope="session")
def deterministic():
    sys.path.insert(0, str(KEYS))
    import deterministic

    sys.path.remove(str(KEYS))
    return deterministic


@pytest.fixture
def foreign(deterministic):
    """A published file's state by the name of its key list, with the same numbers on any machine."""

    def build(name):
        held = json.loads((KEYS / f"{name}_keys.json").read_text())
        if isinstance(held, dict):
            return deterministic.ddcolor_state([(k["name"], k["shape"], k["dtype"]) for k in held["keys"]])
        return deterministic.state_dict(held)

    return build


def two_networks(state):
    split = {part: {k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")}
             for part in ("model", "encoder")}  # fmt: skip
    return {"model_state_dict": split["model"], "encoder_state_dict": split["encoder"]}
