"""Fine-tuning: a run that begins from the weights of a file, with the network that the file holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf, open_dict

from colorize.checkpoint import Checkpoints, read
from colorize.errors import UserError
from colorize.export import frozen_settings
from colorize.importers.files import shortened
from colorize.loading import load
from colorize.models import Colorizer
from colorize.player import Player
from colorize.runs import RunFolder


def adopt(cfg: DictConfig, run: RunFolder) -> Source | None:
    """Make the network of `cfg.init_from` the config's, if one is named, and return what to start from.

    Once the run has a checkpoint of its own, the file is not read again.
    Raises `UserError` where the file holds another network than the model that the config names.
    """
    if not cfg.init_from:
        return None
    if not cfg.overwrite and run.config.exists() and Checkpoints(run.folder / "checkpoints").steps():
        saved = run.read_config()
        if saved.get("init_from") == cfg.init_from:
            with open_dict(cfg):
                cfg.model, cfg.published = saved.model, saved.published
            return None
    model = load(cfg.init_from)
    network, wanted = type(model), get_class(cfg.model._target_)
    if network is not wanted:
        raise UserError(
            f"init_from={cfg.init_from} holds a {network.__name__}, and model={cfg.names.model} is a "
            f"{wanted.__name__}: name the model that the file holds, whose sizes are then the file's"
        )
    settings = {"_target_": cfg.model._target_, **frozen_settings(model)}
    if "classes" in cfg.model:
        settings["classes"] = cfg.model.classes  # the data decide
    with open_dict(cfg):
        cfg.model, cfg.published = OmegaConf.create(settings), {}
    return Source(cfg.init_from, model)


class Source:
    """The network that a run begins from."""

    def __init__(self, file: str, model: Colorizer):
        self.file, self.model = file, model

    def fill(self, model: Colorizer) -> list[str]:
        """Copy its weights into `model`, a network of the same settings; what to say about it.

        Only a head for classes may differ, and starts fresh then.
        """
        held, wanted = self.model.state_dict(), model.state_dict()
        fits = {name for name, value in held.items() if name in wanted and wanted[name].shape == value.shape}
        fresh = [name for name in wanted if name not in fits]
        left = [name for name in held if name not in fits]
        assert all(name.startswith("classify.") for name in [*fresh, *left]), (fresh, left)
        model.load_state_dict({name: held[name] if name in fits else value for name, value in wanted.items()})
        notes = [f"model: weights of {self.file}"]
        if fresh:
            notes.append(f"{shortened(fresh)} start fresh: the file's head is for other classes")
        elif left:
            notes.append(f"the file's head for classes is left out: {shortened(left)}")
        return notes

    def fill_critics(self, players: Mapping[str, Player]) -> list[str]:
        """Copy the critics' weights, where the file is a checkpoint that has them; what to say about it."""
        path, notes = Path(self.file), []
        if path.is_dir():
            path = path / "checkpoints" / "best.pt"
        content = read(path) if path.suffix == ".pt" and path.is_file() else {}
        for name, player in list(players.items())[1:]:
            held = content.get("players", {}).get(name, {}).get("module", {})
            wanted = player.module.state_dict()
            if {k: v.shape for k, v in held.items()} == {k: v.shape for k, v in wanted.items()}:
                player.module.load_state_dict(held)
                notes.append(f"critic {name!r}: weights of {self.file}")
            else:
                notes.append(f"critic {name!r} starts fresh: {self.file} has none like it")
        return notes
