"""What W&B keeps on the disk beside its runs, and the names under which runs log there. Imports nothing of W&B's."""

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from colorize.utils.files import write_text
from colorize.utils.stored_config import read_yaml

KEPT = "checkpoints"  # a folder in the folder of a run of W&B's, until its server has got what is in there
STANDING = "standing.json"
_set: dict[str, str] = {}  # by this process; what the user has set stands


def set_wandb_folders(home: Path) -> None:
    """Let W&B put copies of pictures, its cache and its logs into `home`/wandb from here on."""
    for variable, folder in (("WANDB_DATA_DIR", "data"), ("WANDB_CACHE_DIR", "cache")):
        if os.environ.get(variable) == _set.get(variable):
            os.environ[variable] = _set[variable] = str(home / "wandb" / folder)


def hard_link(file: Path, run: Path) -> Path:
    """A second name for `file` in the folder of W&B's `run`: it stays when the run that wrote it moves on.

    A hard link, which takes no space of its own; a copy where the two folders are on different disks.
    """
    kept = run / KEPT / file.name
    kept.parent.mkdir(exist_ok=True)
    kept.unlink(missing_ok=True)
    try:
        os.link(file, kept)
    except OSError:  # another disk, or one that has no links
        shutil.copyfile(file, kept)
    return kept


def parts_of(home: Path, run_id: str) -> list[Path]:
    """The folders of a run, one for each of its starts; of two in one second, W&B numbers the later ones."""
    own = re.compile(rf"(offline-)?run-\d+_\d+-{re.escape(run_id)}(-\d+)?")
    return [path for path in (home / "wandb").glob("*run-*") if own.fullmatch(path.name)]


def drop_checkpoints(run: Path) -> None:
    """Delete the hard links to checkpoints in the folder of W&B's `run`."""
    shutil.rmtree(run / KEPT, ignore_errors=True)


def write_last_values(run: Path, values: Mapping[str, Any]) -> None:
    """Keep the last value of everything that W&B's `run` has logged, for a later part of it."""
    write_text(run / STANDING, json.dumps(dict(values)))


def read_last_values(home: Path, run_id: str) -> dict[str, Any]:
    """The last values that the newest part of a run has logged; none of a run that has no part here."""
    found = [part / STANDING for part in parts_of(home, run_id) if (part / STANDING).exists()]
    newest = max(found, key=lambda path: path.stat().st_mtime_ns, default=None)
    return json.loads(newest.read_text(encoding="utf-8")) if newest else {}


LONGEST = 128  # bytes of an id, and letters of an artifact's name


def id_of(run_id: str) -> str:
    """The run's id in letters that W&B takes, at most 128 of them; the end, a token, is kept: no two runs share it."""
    text = re.sub(r"[/\\#?%:\x00-\x1f\x7f\ud800-\udfff]", "_", run_id).strip()
    return text if len(text.encode()) <= LONGEST else text.encode()[: LONGEST - 9].decode(errors="ignore") + text[-9:]


def versions_of(run_id: str) -> str:
    """The name of the artifact whose versions are the checkpoints of a run."""
    return re.sub(r"[^a-zA-Z0-9_.-]", "_", id_of(run_id))


STEP = "step"  # the axis of every chart: optimizer steps
GROUP = "group"  # the key of a config that runs have in common which differ by their seed alone
HISTORICAL = ("historical/colorfulness", "historical/chroma_mean")
MEMORY = ("memory", "memory_gpu")
EVALUATED = ("ciede2000", "chroma_error", "hue_error", "top1")  # which training does not measure
KINDS = ("fid", "fid_inf", "kid", "kid_paired")


@dataclass(frozen=True)
class Names:
    """metrics: those of every evaluation during training; evaluated: those of pictures
    after it; distances: of a protocol, those of whole sets; monitor: what best.pt is best
    at; terms: the terms of all losses; critics: those terms that train one; searched: keys of the config that searches
    choose values of, and whether on a logarithmic scale."""

    metrics: list[str]
    evaluated: list[str]
    distances: dict[str, list[str]]
    monitor: str
    terms: list[str]
    critics: list[str]
    searched: dict[str, bool]

    @property
    def validation(self) -> list[str]:
        return [f"{photographs}/{metric}" for metric in self.metrics for photographs in ("val", "train_slice")]

    def scores(self, protocol: str) -> list[str]:
        """What an evaluation leaves in the summary, each with `/low` and `/high` beside it. Of distances it has those
        to the protocol's own reference and with its own feature networks."""
        distances = {name for names in self.distances.values() for name in names}
        of_pictures = [name for name in (*self.metrics, *self.evaluated) if name not in distances]
        return [f"eval/{protocol}/{name}" for name in dict.fromkeys((*of_pictures, *self.distances.get(protocol, ())))]


def distances_of(protocol: Mapping[str, Any]) -> list[str]:
    """The names under which a protocol's distances are kept: those of the published FID's network, `inception`, have
    no network in their names."""
    extractors = protocol.get("extractors", ["efficientnet_lite0"])
    kinds = [kind for kind in KINDS if kind != "kid_paired" or protocol.get("reference", "paired") == "paired"]
    return [
        kind if name == "inception" else f"{kind.replace('fid', 'fd').replace('kid', 'kd')}_{name}"
        for name in extractors for kind in kinds
    ]  # fmt: skip


def read_names(conf: Path) -> Names:
    """The names that the options of `conf/` log under."""
    terms: dict[str, Any] = {}
    for path in sorted((conf / "loss").glob("*.yaml")):
        terms = read_yaml(path).get("loss", {}).get("terms", {}) | terms
    searched: dict[str, bool] = {}
    for path in sorted((conf / "hparams_search").glob("*.yaml")):
        params = read_yaml(path)["hydra"]["sweeper"]["params"]
        searched |= {key: values.startswith("tag(log") for key, values in params.items()}
    return Names(
        metrics=list(read_yaml(conf / "metrics" / "default.yaml")),
        evaluated=[name for name in read_yaml(conf / "metrics" / "full.yaml") if name in EVALUATED],
        distances={path.stem: distances_of(read_yaml(path)) for path in sorted((conf / "protocol").glob("*.yaml"))},
        monitor=read_yaml(conf / "train.yaml")["checkpoint"]["monitor"],
        terms=list(terms),
        critics=[name for name, term in terms.items() if "critic" in term],
        searched=searched,
    )
