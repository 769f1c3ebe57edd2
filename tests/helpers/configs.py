"""Networks of a few channels, the options of conf/, and the command lines of the smallest runs."""

import sys
from pathlib import Path

from colorize.losses import L1, RGB, ChromaL1, NoiseError, Perceptual, SquaredError

ROOT = Path(__file__).parents[2]
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


def options(group: str) -> list[str]:
    """What `conf/` holds for a group, the loss aliases left out."""
    found = {path.stem for path in (CONF / group).glob("*.yaml")}
    return sorted(found - ALIASES if group == "loss" else found)


def own_loss(model: str) -> str:
    """The loss that a model has by default, or the plainest where it brings none."""
    return model if (CONF / "loss" / f"{model}.yaml").exists() else "l1"


# Terms that are nothing where the prediction is the truth: a network must lessen them, whatever else its loss wants
COMPARING = (L1, SquaredError, ChromaL1, RGB, NoiseError, Perceptual)


def tiny_words(model: str, loss: str | None = None, *words: str) -> list[str]:
    """The command line of the smallest run of a model, by default with its own loss."""
    chosen = [f"model={model}", f"loss={loss or own_loss(model)}", *SMALL.get(model, [])]
    judges = ["evaluate.historical=false", "evaluate.judges.train_slice=false"]
    return ["experiment=smoke", "tracker=none", *judges, *chosen, *words]
