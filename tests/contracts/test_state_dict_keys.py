"""Names in checkpoints: a parameter that is renamed makes every earlier checkpoint, export and converter unreadable.

`python -m tests.contracts.test_state_dict_keys` writes `tests/data/state_dict_keys.txt`, for a network that is added.
"""

from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from colorize.losses import Adversarial
from tests.helpers.configs import CONF, SMALL, own_loss

PINNED = Path(__file__).parents[1] / "data" / "state_dict_keys.txt"
OF_A_CHECKPOINT = {
    "best", "health", "phase", "photographs", "piece", "players", "scores", "seconds", "sign", "steps",
    "trained_seconds", "unreadable",
}  # fmt: skip


def states(name: str) -> dict[str, torch.nn.Module]:
    """What a checkpoint of this network keeps, by its name there: the network, and the critics of its own loss."""
    words = ["experiment=smoke", f"model={name}", f"loss={own_loss(name)}", *SMALL[name]]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", overrides=words)
    loss = instantiate(cfg.loss, _convert_="all")
    critics = {term: part.critic for term, part in loss.terms.items() if isinstance(part, Adversarial)}
    return {"model": instantiate(cfg.model, _convert_="all"), **critics}


def lines_of(name: str) -> list[str]:
    """`network player key shape`, in the order of the state dict."""
    return [
        f"{name} {player} {key} {'x'.join(map(str, value.shape)) or 'scalar'}"
        for player, module in states(name).items()
        for key, value in module.state_dict().items()
    ]


@pytest.mark.parametrize("name", SMALL)
def test_names_in_checkpoints_stay(name):
    pinned = [line for line in PINNED.read_text(encoding="utf-8").splitlines() if line.split()[0] == name]
    assert pinned
    assert lines_of(name) == pinned


def test_a_checkpoint_has_the_keys_that_it_had(trained):
    from colorize.utils.checkpoint import read

    state = read(max((trained("cnn", "l1") / "checkpoints").glob("step-*.pt")))
    assert set(state) == OF_A_CHECKPOINT
    assert set(state["players"]) == {"model"}
    assert set(state["players"]["model"]) == {"module", "average", "optimizer"}


if __name__ == "__main__":
    PINNED.write_text("".join(f"{line}\n" for name in SMALL for line in lines_of(name)), encoding="utf-8")
