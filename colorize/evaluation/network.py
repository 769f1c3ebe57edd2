"""The network that is evaluated, of a run, a checkpoint or a published file, and the tracker of its run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from colorize.config import apply_resolved, build_part
from colorize.data.datamodule import DataModule
from colorize.evaluation.image_table import ImageValues, read_image_values
from colorize.evaluation.painted import holds_pictures, pictures_digest
from colorize.evaluation.result import OF_BEST, Result, group_of, image_table_path, read_result
from colorize.evaluation.samples import COMPARED, SampleFiles, find_samples
from colorize.models.base import Colorizer
from colorize.models.load import checked_size, is_hub_name, load, load_trained, trained_size
from colorize.models.named_weights import resolve_weights
from colorize.models.weights import weights_digest
from colorize.run_folder import RunFolder
from colorize.sweeps.jobs import NUMBERED
from colorize.tracking.logger import Logger, start_tracker
from colorize.utils.checkpoint import BEST
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError
from colorize.utils.files import check_links, short_digest
from colorize.utils.hydra_overrides import saved_overrides
from colorize.utils.stored_config import resolved
from colorize.utils.trust import check_stored_part, packages


@dataclass(frozen=True)
class EvaluatedNetwork:
    """A network and what is known of it.

    folder    gets its results
    size      the side in pixels that it was trained at; where the weights do not say, that of its paper
    mean_ab   mean colour of its training photographs, CIE units; None where it is unknown
    weights   where they come from, and the SHA-256 of all tensors
    run       the run's config, resolved; None for weights without a run folder
    origin    the run's own folder
    trust     packages whose classes the config may name
    data      the run's own photographs, where they are open already
    pictures  a folder of pictures that were painted elsewhere, which are judged where there is no `model`
    """

    name: str
    folder: Path
    model: Colorizer | None
    size: int
    weights: dict[str, Any]
    mean_ab: tuple[float, float] | None = None
    group: str = ""
    seed: int | None = None
    run: DictConfig | None = field(default=None, repr=False)
    origin: Path = Path()
    trust: tuple[str, ...] = ()
    data: DataModule | None = field(default=None, repr=False)
    pictures: Path | None = None

    def part(self, name: str) -> Any:
        """A part of the run's config, built."""
        assert self.run is not None
        check_stored_part(OmegaConf.to_container(self.run).get(name), name, self.trust, RunFolder(self.origin).where)  # type: ignore[union-attr]
        return build_part(self.run[name], name)

    def config(self) -> DictConfig:
        """The run's. Raises `UserError` for weights without a run folder."""
        if self.run is None:
            raise UserError(
                f"{self.name!r} is not a run, and has no validation photographs: name a protocol with protocol=…"
            )
        return self.run

    def photographs(self) -> DataModule:
        """Those of the run's own data. Raises `UserError` for weights without a run folder."""
        self.config()
        return self.data or self.part("data")

    def result_path(self, name: str) -> Path:
        """The file of its result of that name: `NAME.json`; of the best weights of a run, where the last ones have that
        file, `NAME@best.json`."""
        path = self.folder / "results" / f"{name}.json"
        if Path(str(self.weights["of"])).name != BEST or not path.is_file():
            return path
        other = read_result(path).weights.get("network", {})
        taken = other.get("of") != BEST and other.get("sha256") != self.weights["sha256"]
        return path.with_name(f"{name}{OF_BEST}.json") if taken else path

    def chosen_on(self, source: str | None) -> bool:
        """Whether its weights were chosen among those of other steps by the photographs of a protocol's source."""
        if self.run is None or self.weights.get("of") != BEST:
            return False
        return source == "run" or (source == "demo" and OmegaConf.select(self.run, "names.data") == "demo")

    def most_photographs(self) -> int | None:
        """Of its own validation photographs, how many training looked at."""
        return self.run.get("evaluate", {}).get("photographs") if self.run is not None else None


def open_network(word: str, checkpoint: str, out: str | None, trust: Sequence[str] = ()) -> EvaluatedNetwork:
    """The network of a run folder, or of anything else that `colorize.load` takes.

    out  the folder that gets its results; None: the run's own, or outputs/NAME
    Raises `UserError` where it is missing or damaged, and for a folder that is another run's.
    """
    found = resolve_weights(word)
    path = at_home(found)
    if path.is_dir() and (path / ".hydra").is_dir():
        folder = check_results_folder(Path(out) if out else path, path)
        return open_run_network(RunFolder(path), checkpoint, folder, packages(trust))
    if checkpoint != "best" and (path.exists() or is_hub_name(str(found))):
        raise UserError(f"checkpoint={checkpoint} is for run folders, and {word!r} is not one")
    here = path.resolve().name if path.is_dir() else word.rstrip("/").rsplit("/", 1)[-1]
    name = path.stem if path.is_file() else here
    folder = check_results_folder(Path(out) if out else Path("outputs", name), path)
    if path.is_dir() and holds_pictures(path):
        weights = {"of": name, "sha256": pictures_digest(path)}
        return EvaluatedNetwork(name, folder, None, 0, weights, pictures=path)
    model = load(word, trust)
    size = (trained_size(word) if path.exists() else None) or model.fixed_size or model.usual_size
    weights = {"of": path.name if path.exists() else str(found), "sha256": weights_digest(model.state_dict())}
    return EvaluatedNetwork(name, folder, model, size, weights)


def check_results_folder(folder: Path, own: Path) -> Path:
    """The folder. Raises `UserError` where it is that of a run, whose page would show the results of `own` as its own
    results."""
    if (folder / ".hydra").is_dir() and not (own.exists() and own.samefile(folder)):
        raise UserError(
            f"{str(folder)!r} is the folder of a trained run, and would get the results of {str(own)!r}: use "
            "out=FOLDER for another"
        )
    return folder


def open_run_network(run: RunFolder, checkpoint: str, folder: Path, trust: tuple[str, ...]) -> EvaluatedNetwork:
    if folder == run.folder:
        check_links(run.folder, "results")
    kept = run.read_config()
    plain = resolved(
        apply_resolved(kept, run.read_resolved()), run.where, "name", "names", "seed", "model", "data.size"
    )
    name, seed, data = (plain.get(key) for key in ("name", "seed", "data"))
    size = checked_size(data.get("size") if isinstance(data, dict) else None, "data.size", run.where)
    if not isinstance(name, str) or not isinstance(seed, int) or size is None:
        raise UserError(f"{run.where} is damaged: it lacks the run's name, its seed or the size of its pictures")
    path = run.checkpoint(checkpoint)
    model, steps = load_trained(path, plain.get("model"), trust)
    weights = {"of": path.name, "step": steps, "sha256": weights_digest(model.state_dict())}
    summary = run.read_summary() if run.summary.is_file() else {}
    weights["trained_with"] = pretrained_networks(summary.get("weights", {}))
    mean, cfg = run.read_mean_ab(), OmegaConf.create(plain)
    group = group_of(kept, run.photographs())
    return EvaluatedNetwork(name, folder, model, size, weights, mean, group, seed, cfg, run.folder, trust)


def pretrained_networks(origins: Mapping[str, Any]) -> list[str]:
    """The networks with ImageNet weights that a run was trained with, as encoders or in terms of its loss.

    origins  `model.…` or `loss.…` -> where its weights came from, and `init_from`, as the run's summary has them under
             "weights"; a network that `init_from` filled may have begun from any
    """
    filled = ("model.",) if origins.get("init_from") else ()
    of_parts = {part: str(origin) for part, origin in origins.items() if part.startswith(("model.", "loss."))}
    return sorted(
        {origin.split(",")[0] for part, origin in of_parts.items() if ", ImageNet" in origin or part.startswith(filled)}
    )


def open_tracker(run: RunFolder, start: Callable[..., Any], settings: dict[str, Any]) -> Logger:
    """The tracker that `start` makes of a run, under the run's own id; `settings` is what it keeps as the config.

    Jobs of a sweep have their numbers in their names. Runs of a group differ by nothing but the seed, settings that
    change no weight, and where the photographs lie; they were validated on the same photographs at the same size.
    """
    kept = run.read_config()
    job = NUMBERED.fullmatch(run.folder.resolve().name)
    name = f"{kept.name}-{job[1]}" if job else kept.name
    parts = f"{kept.names.model}-{kept.names.loss}-{kept.names.data}{kept.names.get('look', '')}-{kept.data.size}"
    digest = short_digest(f"{group_of(kept, run.photographs())} {run.validation_manifest()}", 6)
    settings["group"] = f"{parts}-{digest}"
    return start_tracker(lambda: start(run_id=run.run_id(kept.name), name=name, settings=settings))


COLUMNS = {"as it is": "grey input", "true colours": "truth"}  # other words stand as the page has them


def log_to_tracker(network: EvaluatedNetwork, result: Result, target: Path) -> None:
    """Log a result to the tracker of the network's run, under the run's own id. Nothing is added to the values of its
    steps."""
    if network.run is None:
        return
    settings: Any = OmegaConf.to_container(network.run, resolve=True)
    settings["overrides"] = saved_overrides(network.origin)
    tracker = open_tracker(RunFolder(network.origin), network.part("tracker"), settings)
    log_result(tracker, result, target)
    tracker.finish()


def log_result(log: Logger, result: Result, target: Path, name: str = "") -> None:
    """The result in the file `target` into the summary of a run, and a table of sample pictures; see
    `summary_values`.

    name  under which it is logged; by default that of the file
    """
    name = name or target.stem
    log.summary(dict(summary_values(name, result)))
    own = read_image_values(image_table_path(target))
    files = {own.names[int(stem.split("-")[0])]: files for stem, files in find_samples(target).items()}
    if files:
        log.table(f"eval/{name}/pictures", *sample_table(files, own))


def summary_values(name: str, result: Result) -> Iterator[tuple[str, Any]]:
    """Keys and values for a tracker's summary: the network's, with the ends of their intervals, those of grey and of
    the ground truth, and why others, or their intervals alone, are unavailable."""
    for row, beside in (("model", ""), ("grey", "grey/"), ("truth", "truth/")):
        for metric, cell in result.rows.get(row, {}).items():
            yield f"eval/{name}/{beside}{metric}", cell.value
            if row != "model":
                continue
            if isnan(cell.low):
                yield f"eval/{name}/absent/{metric}", f"its interval alone: {cell.n} pictures are too few for one"
                continue
            yield f"eval/{name}/{metric}/low", cell.low
            yield f"eval/{name}/{metric}/high", cell.high
    for metric, reason in result.absent.items():
        yield f"eval/{name}/absent/{metric}", reason


def sample_table(files: SampleFiles, own: ImageValues) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows: each photograph's name, its pictures, and its value of every metric."""
    words = list(next(iter(files.values())))
    columns = ["photograph", *(COLUMNS.get(word, word) for word in words), *own.values]
    place = {name: i for i, name in enumerate(own.names)}
    rows = []
    for name, seen in [*files.items()][:COMPARED]:
        values = [float(column[place[name]]) for column in own.values.values()]
        rows.append([name, *(seen[word] for word in words), *(None if isnan(v) else v for v in values)])
    return columns, rows
