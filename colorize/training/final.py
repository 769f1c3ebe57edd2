"""The evaluations that a run ends with: its last and its best weights, under each protocol of `evaluate.final`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, MissingConfigException
from omegaconf import DictConfig

from colorize.config import build_part, conf_folder
from colorize.evaluation.evaluate import evaluate_network
from colorize.evaluation.evaluation_setup import EvaluationSetup, is_whole, set_up
from colorize.evaluation.network import EvaluatedNetwork, log_result, pretrained_networks, weights_digest
from colorize.evaluation.result import OF_BEST, Result, group_of, plain, read_result
from colorize.evaluation.validation import ValidationBaselines
from colorize.models.load import best_state
from colorize.run_folder import RunFolder
from colorize.tracking.logger import Logger
from colorize.training.build import origins
from colorize.training.trainer import Parts, Trainer
from colorize.utils.checkpoint import read_record
from colorize.utils.console import say
from colorize.utils.errors import UserError
from colorize.utils.files import check_links
from colorize.utils.published_file import limit_waiting

PATIENCE = 5  # seconds in all for servers of weights that do not answer
WORDS = ("metrics=full", "metrics.lpips_vgg.download=false", "out=null", "table=false")


class FinalEvaluations:
    """What `evaluate.final` names, composed and checked before the first step.

    configs  evaluate.yaml with each protocol
    Raises `UserError` for a protocol that there is not, and for photographs that are not there.
    """

    def __init__(self, cfg: DictConfig, run: RunFolder, parts: Parts, trainer: Trainer, baselines: ValidationBaselines):
        self.cfg, self.run, self.parts, self.trainer, self.baselines = cfg, run, parts, trainer, baselines
        self.configs = compose_protocols(cfg.evaluate.get("final") or [])

    def announce(self) -> None:
        """Fetch the weights of metrics that are to be had, and say what will be absent and why."""
        reasons: dict[str, dict[str, None]] = {}
        if not self.configs:
            return
        network = self.network("last", {})
        with limit_waiting(PATIENCE):
            for config in self.configs:
                for metric, reason in self.set_up(config, network).missing.items():
                    reasons.setdefault(reason, {})[metric] = None
        for reason, metrics in reasons.items():
            say(f"the final evaluation will lack {', '.join(metrics)}: {reason}")

    def evaluate(self, log: Logger) -> dict[str, dict[str, Any]]:
        """protocol -> last or best -> row -> metric -> {value, low, high, n}, and `absent`: metric -> reason.

        What the run folder has a whole result of is not measured again. Only the first process gets them all.
        """
        check_links(self.run.folder, "results")
        found: dict[str, dict[str, Any]] = {config.protocol.name: {} for config in self.configs}
        with limit_waiting(PATIENCE):
            for which, network in self.networks():
                for config in self.configs:
                    result = self.evaluate_one(config, network, which, log)
                    if result is not None:
                        found[config.protocol.name][which] = plain(as_record(result))
        return found

    def evaluate_one(self, config: DictConfig, network: EvaluatedNetwork, which: str, log: Logger) -> Result | None:
        world, name = self.trainer.world, f"{config.protocol.name}{OF_BEST if which == 'best' else ''}"
        setup = self.set_up(config, network)
        target = self.run.folder / "results" / f"{name}.json"
        result = world.on_main_then_broadcast(lambda: read_whole(target, setup, network))
        if result is None:
            result = evaluate_network(config, network, setup, target, self.trainer.device, world)
        if result is not None and world.is_main:
            log_result(log, result, target)
        return result

    def set_up(self, config: DictConfig, network: EvaluatedNetwork) -> EvaluationSetup:
        return set_up(config, build_part(config.protocol, "protocol"), network, own_photographs=True)

    def networks(self) -> Iterator[tuple[str, EvaluatedNetwork]]:
        """The last weights; then the best ones, where they are others."""
        if not self.configs:
            return
        module = self.trainer.train_states["model"].ema_or_model().eval()
        last = self.network("last", module.state_dict())
        yield "last", last
        best = self.trainer.checkpoints.best
        if best.is_file():
            module.load_state_dict(best_state(read_record(best)["players"]["model"]))
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
                "trained_with": pretrained_networks(origins(self.parts)),
            },
            self.baselines.mean_ab,
            group_of(self.run.read_config(), self.run.photographs()), self.cfg.seed, self.cfg, self.run.folder,
            data=self.parts.photographs,
        )  # fmt: skip


def compose_protocols(names: Sequence[str]) -> list[DictConfig]:
    """evaluate.yaml with each of these protocols. Raises `UserError` for one that there is not."""
    with composer():
        found = []
        for name in names:
            try:
                found.append(compose("evaluate", overrides=[f"protocol={name}", *WORDS]))
            except (MissingConfigException, ConfigCompositionException) as error:
                raise UserError(f"evaluate.final names {name!r}, which is no protocol of conf/protocol") from error
    return found


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
