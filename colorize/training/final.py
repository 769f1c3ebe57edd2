"""The evaluations that a run ends with: its last and its best weights, under each protocol of `evaluate.final`."""

import glob
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, MissingConfigException
from omegaconf import DictConfig, ListConfig, OmegaConf

from colorize.config import build_part, conf_folder
from colorize.evaluation.evaluate import evaluate_network
from colorize.evaluation.evaluation_setup import EvaluationSetup, is_whole, set_up
from colorize.evaluation.network import EvaluatedNetwork, log_result, pretrained_networks
from colorize.evaluation.result import OF_BEST, Result, group_of, plain, read_result
from colorize.evaluation.validation import ValidationBaselines
from colorize.models.base import converge_spectral_norms
from colorize.models.load import best_state
from colorize.models.weights import weights_digest
from colorize.run_folder import RunFolder
from colorize.sweeps.jobs import NUMBERED
from colorize.tracking.logger import Logger
from colorize.training.build import PATIENCE, origins
from colorize.training.parts import Parts
from colorize.training.trainer import Trainer
from colorize.utils.checkpoint import read_record
from colorize.utils.console import say
from colorize.utils.errors import UserError
from colorize.utils.files import check_links
from colorize.utils.hydra_overrides import quote_if_needed
from colorize.utils.published_file import limit_waiting
from colorize.utils.stored_config import flatten
from colorize.utils.validation import as_override

WORDS = ("metrics=full", "metrics.lpips_vgg.download=false", "out=null", "table=false")


class FinalEvaluations:
    """What `evaluate.final` names.

    configs  of it, by `compose_protocols`
    """

    def __init__(
        self, configs: Sequence[DictConfig], cfg: DictConfig, run: RunFolder, parts: Parts, trainer: Trainer,
        baselines: ValidationBaselines,
    ):  # fmt: skip
        self.configs, self.cfg, self.run, self.parts = configs, cfg, run, parts
        for config in configs:  # auto is float32 on a GPU, in whose bfloat16 the run may have been trained
            config.precision = "float32" if cfg.trainer.precision == "float32" else "auto"
        self.trainer, self.baselines = trainer, baselines

    def announce(self) -> None:
        """Fetch the weights of metrics that are to be had, and say what will be absent; the summary says why.

        Raises `UserError` for photographs that are not there.
        """
        missing: dict[str, str] = {}
        if not self.configs:
            return
        network = self.network("last", {})
        with limit_waiting(PATIENCE):
            for config in self.configs:
                missing |= self.set_up(config, network).missing
        if missing:
            say(f"left out of the final evaluation, without their weights (docs/metrics.md): {', '.join(missing)}")

    def evaluate(self, log: Logger) -> dict[str, dict[str, Any]]:
        """protocol -> last or best -> row -> metric -> {value, low, high, n}; `absent`: metric -> reason; the weights'
        `step`, and of the best the `monitor` that chose them.

        What the run folder has a whole result of is not measured again. Only the first process gets them all.
        """
        check_links(self.run.folder, "results")
        found: dict[str, dict[str, Any]] = {config.protocol.name: {} for config in self.configs}
        with limit_waiting(PATIENCE):
            for which, network in self.networks():
                for config in self.configs:
                    result = self.evaluate_one(config, network, which, log)
                    if result is not None:
                        chosen = {"monitor": self.trainer.checkpoint.monitor} if which == "best" else {}
                        found[config.protocol.name][which] = {
                            **plain(as_record(result)), "step": network.weights["step"], **chosen,
                        }  # fmt: skip
        if self.trainer.world.is_main:
            for name in (name for name, of in found.items() if of.keys() == {"last"}):
                self.replace_best(name, log)
        return found

    def replace_best(self, name: str, log: Logger) -> None:
        """Where the last weights have become the best ones: remove the result of those that were, and give trackers the
        new numbers in their place."""
        if (old := self.file(name, "best")).is_file():
            last = self.file(name, "last")
            log_result(log, read_result(last), last, old.stem)
            for path in sorted(old.parent.glob(f"{glob.escape(old.stem)}.*"), key=lambda path: path == old):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def file(self, name: str, which: str) -> Path:
        """The result under the protocol of this name, of the `last` or the `best` weights."""
        return self.run.folder / "results" / f"{name}{OF_BEST if which == 'best' else ''}.json"

    def evaluate_one(self, config: DictConfig, network: EvaluatedNetwork, which: str, log: Logger) -> Result | None:
        world, setup = self.trainer.world, self.set_up(config, network)
        target = self.file(config.protocol.name, which)
        result = world.on_main_then_broadcast(lambda: read_whole(target, setup, network))
        if result is None:
            result = evaluate_network(config, network, setup, target, self.trainer.device, world)
        if result is not None and world.is_main:
            log_result(log, result, target)
        return result

    def files(self, evaluations: Mapping[str, Mapping[str, Any]]) -> dict[Path, str]:
        """Of the results that `evaluate` returned, and which weights they are of."""
        return {
            self.file(name, which): f"the {which} weights, step {held['step']:,}"
            + (f", by {held['monitor']}" if "monitor" in held else "")
            for name, of in evaluations.items()
            for which, held in of.items()
        }

    def set_up(self, config: DictConfig, network: EvaluatedNetwork) -> EvaluationSetup:
        return set_up(config, build_part(config.protocol, "protocol"), network, own_photographs=True)

    def networks(self) -> Iterator[tuple[str, EvaluatedNetwork]]:
        """The last weights; then the best ones, where they are others."""
        if not self.configs:
            return
        module = self.trainer.train_states["model"].ema_or_model().eval()
        converge_spectral_norms(module)  # as `load` has it, also where there is no average
        last = self.network("last", module.state_dict())
        yield "last", last
        best = self.trainer.checkpoints.best
        if best.is_file():
            module.load_state_dict(best_state(read_record(best)["players"]["model"]))
            converge_spectral_norms(module)
            network = self.network("best", module.state_dict())
            if network.weights["sha256"] != last.weights["sha256"]:
                yield "best", network

    def network(self, which: str, state: Mapping[str, Any]) -> EvaluatedNetwork:
        checkpoints = self.trainer.checkpoints
        file = checkpoints.best if which == "best" else checkpoints.path(self.trainer.steps)
        step = read_record(file)["steps"] if which == "best" else self.trainer.steps
        module: Any = self.trainer.train_states["model"].ema_or_model()
        return EvaluatedNetwork(
            self.cfg.name, self.run.folder, module, self.parts.photographs.size,
            {
                "of": file.name, "step": step, "sha256": weights_digest(state),
                "trained_with": pretrained_networks({**origins(self.parts), "init_from": self.cfg.init_from}),
            },
            self.baselines.mean_ab,
            group_of(self.run.read_config(), self.run.photographs()), self.cfg.seed, self.cfg, self.run.folder,
            data=self.parts.photographs,
        )  # fmt: skip


def final_protocols(final: Any) -> list[str]:
    """The protocols that `evaluate.final` names, each once: a list, one of them, or none.

    Raises `UserError` for anything else.
    """
    plain = OmegaConf.to_container(final) if isinstance(final, ListConfig | DictConfig) else final
    names = [plain] if isinstance(plain, str) else plain or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        right = "a list of protocols, such as [validation, historical], or false"
        raise UserError(f"evaluate.final is {as_override(plain)}; it must be {right}")
    return list(dict.fromkeys(names))


def compose_protocols(names: Sequence[str]) -> list[DictConfig]:
    """evaluate.yaml with each of these protocols. Raises `UserError` for one that there is not, and for one that needs
    values of the user."""
    with composer():
        found = []
        for name in names:
            try:
                config = compose("evaluate", overrides=[f"protocol={quote_if_needed(name)}", *WORDS])
            except (MissingConfigException, ConfigCompositionException) as error:
                raise UserError(f"evaluate.final names {name!r}, which is no protocol of conf/protocol") from error
            if missing := [key for key, value in flatten(config.protocol, resolve=False).items() if value == "???"]:
                words = " ".join([f"protocol={name}", *(f"protocol.{key}=…" for key in missing)])
                raise UserError(
                    f"evaluate.final names {name!r}, which needs values that it cannot give: leave it out, and use "
                    f"evaluate.py run=… {words} after the training"
                )
            found.append(config)
    return found


def commands_for_unmeasured(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Protocol -> the words of the command that measures a finished run under it, of those that it has no result of."""
    asked = [name for name in names if not (folder / "results" / f"{name}.json").is_file()]
    commands = {}
    for name, config in zip(asked, compose_protocols(asked), strict=True):
        protocol = config.protocol
        if not (folder / "results" / f"{protocol.name}.json").is_file():
            own = protocol.source is None and protocol.get("reader", "photographs") == "photographs"
            commands[name] = f"{evaluate_command(folder)} protocol={name}{' source=run' if own else ''}"
    return commands


@contextmanager
def composer() -> Iterator[None]:
    """Hydra as it is running, with the folders of the user; else with ours alone."""
    if GlobalHydra.instance().is_initialized():
        yield
    else:
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            yield


def read_whole(target: Path, setup: EvaluationSetup, network: EvaluatedNetwork) -> Result | None:
    """The result that is there, if it is of these weights and nothing is missing."""
    if not target.is_file():
        return None
    result = read_result(target)
    return result if is_whole(result, setup, network.weights["sha256"]) else None


def as_record(result: Result) -> dict[str, Any]:
    rows = {row: {metric: vars(cell) for metric, cell in cells.items()} for row, cells in result.rows.items()}
    return {**rows, "absent": result.absent}


def evaluate_command(folder: Path) -> str:
    return f"colorize evaluate {shlex.quote(quote_if_needed(f'run={folder}'))}"


def print_next_steps(folder: Path, pages: Mapping[Path, str]) -> None:
    """Say where the results are, and which commands come next; of a job, its sweep does that.

    pages  of the results that the run ended with, and which weights each is of
    """
    say(f"everything is in {str(folder)!r}")
    if NUMBERED.fullmatch(folder.name):
        return
    if pages:
        say("every metric with its interval, and photographs:")
    for page, weights in pages.items():
        say(f"  {page}    # {weights}")
    say("what comes next:")
    if not pages:
        say(f"  {evaluate_command(folder)}    # every metric with its interval, and a page")
    say(f"  colorize paint PHOTO --weights {shlex.quote(str(folder))} -o painted")
