"""The verb `evaluate`: score networks under a protocol; a JSON, a table of pictures and a page each."""

import glob
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from omegaconf import DictConfig, ListConfig

from colorize.cli.compare import expand_runs, is_run, print_metrics
from colorize.cli.paths import new_folder
from colorize.config import build_part
from colorize.evaluation.evaluate import evaluate_network
from colorize.evaluation.evaluation_setup import EvaluationSetup, is_whole, set_up
from colorize.evaluation.network import EvaluatedNetwork, log_to_tracker, open_network
from colorize.evaluation.painted import label_of
from colorize.evaluation.protocol import Protocol
from colorize.evaluation.result import TRAINED_ON, Result, group_by_reason, read_result, row_label
from colorize.reports.comparison_page import write_result_page
from colorize.reports.conclusions import weights_in_words
from colorize.reports.tables import cost_in_words
from colorize.sweeps.jobs import jobs_of
from colorize.utils.console import counted, counted_part, say
from colorize.utils.devices import choose_device, keep_freed_memory
from colorize.utils.distributed import World, init_process_group, leave
from colorize.utils.environment import at_home
from colorize.utils.errors import UserError


def evaluate_runs(cfg: DictConfig) -> int:
    """Score everything that `cfg.run` names; the exit status."""
    words = expand_networks(map(str, cfg.run if isinstance(cfg.run, ListConfig) else [cfg.run]))
    if len(words) > 1 and cfg.out is not None:
        raise UserError(f"out={cfg.out} is one folder for {len(words)} networks: leave it out")
    if cfg.out is not None:
        new_folder(cfg.out, overwrite=True)
    device = choose_device(cfg.device, option="device")
    world = init_process_group(device)
    keep_freed_memory()
    try:
        protocol: Protocol = build_part(cfg.protocol, "protocol")
        if cfg.source is not None:
            protocol = replace(protocol, source=cfg.source)
        subjects = [open_network(word, str(cfg.checkpoint), cfg.out, cfg.trust) for word in words]
        check_folders(dict(zip(words, subjects, strict=True)))
        told: set[tuple[str, str]] = set()
        for subject in subjects:
            evaluate_one(cfg, subject, protocol, device, world, told)
    finally:
        leave()
    return 0


def expand_networks(words: Iterable[str]) -> list[str]:
    """What `run` names, with the runs that patterns (`outputs/cpu-*`) and folders of sweeps mean, as `compare` takes
    them; each once. Raises `UserError` for a word that means none."""
    found = list[str]()
    for word in words:
        path = at_home(word)
        several = bool(jobs_of(path)) and not is_run(path) if path.exists() else glob.has_magic(word)
        places, notes = expand_runs([str(path)]) if several else ([word], [])
        trained = [place for place in places if not several or Path(place, ".hydra").is_dir()]
        for note in notes:
            say(note)
        if not trained:
            raise UserError(f"no run folder matches {word!r}: {', '.join(places)} are none")
        found += [place for place in trained if place not in found or not several]
    return found


def check_folders(subjects: Mapping[str, EvaluatedNetwork]) -> None:
    """Raises `UserError` where two networks, by the word that names them, would keep their results in one folder."""
    held: dict[Path, str] = {}
    for word, subject in subjects.items():
        other = held.setdefault(subject.folder.resolve(), word)
        if subjects[other].weights["sha256"] != subject.weights["sha256"]:
            raise UserError(
                f"{other!r} and {word!r} would both be kept in {str(subject.folder)!r}: evaluate them one after the "
                "other, the second with out=FOLDER"
            )


def evaluate_one(
    cfg: DictConfig,
    subject: EvaluatedNetwork,
    protocol: Protocol,
    device: torch.device,
    world: World,
    told: set[tuple[str, str]],
) -> None:
    if world.size > 1:  # what has to be fetched, the first process fetches
        world.on_main_then_broadcast(lambda: bool(set_up(cfg, protocol, subject)))
    setting = set_up(cfg, protocol, subject)
    announce_network(subject, setting, device)
    target = subject.result_path(cfg.name)
    if world.on_main_then_broadcast(lambda: is_measured(cfg, target, subject, setting)):
        return
    announce_absent(setting, told)
    result = evaluate_network(cfg, subject, setting, target, device, world)
    if result is not None:
        report_result(cfg, subject, setting, result, target)
    if subject.model:
        subject.model.to("cpu")


def report_result(
    cfg: DictConfig, subject: EvaluatedNetwork, setting: EvaluationSetup, result: Result, target: Path
) -> None:
    """Write the page of a result, print its table, and send it to the tracker."""
    page = write_result_page(target)
    if cfg.table:
        print_result(result, setting.absent)
        if result.cost:
            say(cost_in_words(result.cost))
    if cfg.track:
        log_to_tracker(subject, result, target)
    say(f"kept in {str(target)!r}, each picture's numbers in its .csv, and as a page in {str(page)!r}")


def is_measured(cfg: DictConfig, target: Path, subject: EvaluatedNetwork, setting: EvaluationSetup) -> bool:
    """Whether the very same has been measured; `cfg.table` shows it.

    Raises `UserError` where another result is in the way.
    """
    if cfg.overwrite or not target.is_file():
        return False
    kept = read_result(target)
    if kept.protocol["id"] != setting.described["id"]:
        raise UserError(
            f"{str(target)!r} holds {kept.protocol['id']}, and this is {setting.described['id']}: use name=… to keep "
            "both, or overwrite=true"
        )
    if kept.weights.get("network", {}).get("sha256") != subject.weights["sha256"]:
        raise UserError(f"{str(target)!r} is of other weights: use name=… to keep both, or overwrite=true")
    if not is_whole(kept, setting, subject.weights["sha256"]) or not agrees(cfg.precision, kept):
        return False
    if cfg.table:
        print_result(kept, setting.absent)
    say(f"{str(target)!r} has been measured already; overwrite=true measures it again")
    return True


def agrees(precision: str, kept: Result) -> bool:
    """Whether a result was measured in the precision that is asked for."""
    return precision in ("auto", kept.cost.get("precision", "float32"))


def announce_network(subject: EvaluatedNetwork, setting: EvaluationSetup, device: torch.device) -> None:
    """Which weights are judged, and on what."""
    count, whole = len(setting.chosen.photos), setting.chosen.whole
    part = counted_part(count, whole) + "," * (count != whole)
    weights = weights_in_words(subject.weights | {"chosen_on_these": subject.chosen_on(setting.protocol.source)})
    taken = setting.painted.taken if setting.painted else {}
    shown = f" ({weights})" * bool(weights) + "".join(f", {counted(n, 'picture')} {way}" for way, n in taken.items())
    say(f"{subject.name}{shown} on {device}: {part} of {setting.chosen.title}, protocol {setting.described['id']}")
    if setting.reference:
        say(f"distances of sets are to {counted(len(setting.reference.photos))} of {setting.reference.title}")
    if setting.trained_on:
        say(TRAINED_ON.format(subject.name, setting.trained_on, count))
    for note in setting.chosen.notes:
        say(note)


def announce_absent(setting: EvaluationSetup, told: set[tuple[str, str]]) -> None:
    """What an evaluation is about to lack; what is absent for every network of a command is `told` once."""
    for names, reason in group_by_reason(setting.absent):
        if (names, reason) not in told:
            say(f"{names} will be absent: {reason}")
    told |= set(group_by_reason(setting.absent))


def print_result(result: Result, reasons: Mapping[str, str] | None = None) -> None:
    """A line for each metric: of the network with intervals, then what to read it next to; then what is absent, with
    the `reasons` that it has here and now: the result's own leave out folders."""
    own = {label_of(row, result): cells for row, cells in result.rows.items() if row.startswith("model")}
    others = {row_label(row): cells for row, cells in result.rows.items() if not row.startswith("model")}
    shown = dict.fromkeys([*result.rows["model"], *(metric for cells in others.values() for metric in cells)], ())
    truth = result.protocol.get("truth") != "none"
    weights = weights_in_words(result.weights.get("network", {}))
    named = f"{result.name} ({weights})" if weights else result.name
    print_metrics(own, f"{named}, protocol {result.protocol['id']}, 95 % intervals", shown, truth=truth)
    print_metrics(others, "to read it next to", shown, ends=False, truth=truth)
    absent = {name: (reasons or {}).get(name, reason) for name, reason in result.absent.items()}
    for names, reason in group_by_reason(absent):
        say(f"absent: {names}: {reason}")
