"""What is judged: the network of a run, of a checkpoint, or of a published file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from colorize.build import make, with_answers
from colorize.data import Photographs
from colorize.errors import UserError
from colorize.home import at_home
from colorize.loading import checked_size, load, load_trained, trained_size
from colorize.models import Colorizer
from colorize.painting import usual_size
from colorize.results import group_of
from colorize.runs import RunFolder
from colorize.stored import check_links, resolved
from colorize.trust import check_node, packages


@dataclass(frozen=True)
class Subject:
    """A network and what is known of it.

    folder    that gets its results
    size      the side that it was trained at; of weights that do not say, what its paper did
    mean_ab   mean colour of the photographs that it was trained on; None where nobody says
    weights   where they come from, and the SHA-256 of all of its tensors
    run       the run's config with what was left open, its references followed; None for weights from elsewhere
    origin    the run's own folder
    trust     packages whose classes the config may name
    """

    name: str
    folder: Path
    model: Colorizer
    size: int
    weights: dict[str, Any]
    mean_ab: tuple[float, float] | None = None
    group: str = ""
    seed: int | None = None
    run: DictConfig | None = field(default=None, repr=False)
    origin: Path = Path()
    trust: tuple[str, ...] = ()

    def part(self, name: str) -> Any:
        """A part of the run's config, built."""
        assert self.run is not None
        check_node(OmegaConf.to_container(self.run).get(name), name, self.trust, RunFolder(self.origin).where)  # type: ignore[union-attr]
        return make(self.run[name], name)

    def photographs(self) -> Photographs:
        """Those of the run's own data. Raises `UserError` for weights from elsewhere."""
        if self.run is None:
            raise UserError(f"{self.name!r} is no run, and has no validation photographs: name a protocol")
        return self.part("data")


def open_subject(word: str, checkpoint: str, out: str | None, trust: Sequence[str] = ()) -> Subject:
    """`word`: a run folder, or whatever else `colorize.load` takes. Raises `UserError` where that is not there, or is
    half written."""
    path = at_home(word)
    if path.is_dir() and (path / ".hydra").is_dir():
        return open_run(RunFolder(path), checkpoint, Path(out) if out else path, packages(trust))
    if checkpoint != "best":
        raise UserError(f"checkpoint={checkpoint} is for run folders, and {word!r} is none")
    model = load(word, trust)
    name = path.stem if path.is_file() else word.rstrip("/").rsplit("/", 1)[-1]
    folder = Path(out) if out else Path("outputs", name)
    size = trained_size(word) if path.exists() else None
    return Subject(name, folder, model, size or usual_size(model), {"of": word, "sha256": digest(model.state_dict())})


def open_run(run: RunFolder, checkpoint: str, folder: Path, trust: tuple[str, ...]) -> Subject:
    if folder == run.folder:
        check_links(run.folder, "results")
    kept = run.read_config()
    plain = resolved(with_answers(kept, run.read_resolved()), run.where, "name", "names", "seed", "model", "data.size")
    name, seed, data = (plain.get(key) for key in ("name", "seed", "data"))
    size = checked_size(data.get("size") if isinstance(data, dict) else None, "data.size", run.where)
    if not isinstance(name, str) or not isinstance(seed, int) or size is None:
        raise UserError(f"{run.where} is damaged: it lacks the run's name, its seed or the size of its pictures")
    path = run.checkpoint(checkpoint)
    model, steps = load_trained(path, plain.get("model"), trust)
    weights = {
        "of": path.name, "step": steps, "sha256": digest(model.state_dict()),
    }  # fmt: skip
    mean, cfg = run.read_mean_ab(), OmegaConf.create(plain)
    group = group_of(kept, run.photographs())
    return Subject(name, folder, model, size, weights, mean, group, seed, cfg, run.folder, trust)


def digest(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of the names, shapes and bytes of a network's tensors: the same wherever they were kept."""
    total = sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        total.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        total.update(value.reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    return total.hexdigest()
