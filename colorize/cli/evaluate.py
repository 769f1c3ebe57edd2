"""The verb `evaluate`: score networks under a protocol; a JSON, a table of pictures and a page each."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, ListConfig
from rich.table import Table

from colorize.config import build_part, check_values
from colorize.evaluation.baselines import measure_protocol_baselines
from colorize.evaluation.evaluate import (
    WORK,
    EvaluationSetup,
    assemble_result,
    library_versions,
    network_rows,
    set_up,
)
from colorize.evaluation.image_table import read_image_values
from colorize.evaluation.measure import ERRORS, PICTURES, Measurement, concatenate
from colorize.evaluation.network import EvaluatedNetwork, log_to_tracker, open_network
from colorize.evaluation.predictors import Meter
from colorize.evaluation.result import LABELS, Result, image_table_path, read_result, write_result
from colorize.evaluation.samples import SampleFiles, write_samples
from colorize.metrics.full_reference import errors_of, mean_errors_by_colour
from colorize.metrics.metric_info import Interval, info_of
from colorize.reports.comparison_page import write_result_page
from colorize.reports.conclusions import group_by_reason
from colorize.reports.tables import cost_in_words, texts
from colorize.utils.console import console, say
from colorize.utils.devices import choose_device, keep_freed_memory
from colorize.utils.distributed import World, init_process_group, leave
from colorize.utils.errors import UserError


def evaluate_runs(cfg: DictConfig) -> int:
    """Score everything that `cfg.run` names; the exit status."""
    check_values(cfg)
    if cfg.samples < 1:
        raise UserError(f"samples is {cfg.samples}; it must be 1 or more")
    words = list(cfg.run) if isinstance(cfg.run, ListConfig) else [cfg.run]
    if len(words) > 1 and cfg.out is not None:
        raise UserError(f"out={cfg.out} is one folder for {len(words)} networks: leave it out")
    device = choose_device(cfg.device, option="device")
    world = init_process_group(device)
    keep_freed_memory()
    try:
        protocol = build_part(cfg.protocol, "protocol")
        if cfg.source is not None:
            protocol = replace(protocol, source=cfg.source)
        subjects = [open_network(str(word), str(cfg.checkpoint), cfg.out, cfg.trust) for word in words]
        told: set[tuple[str, str]] = set()
        for subject in subjects:
            if world.size > 1:  # what has to be fetched, the first process fetches
                world.on_main_then_broadcast(partial(set_up_once, cfg, protocol, subject))
            setting = set_up(cfg, protocol, subject)
            evaluate_one(cfg, subject, setting, device, world, told)
    finally:
        leave()
    return 0


def set_up_once(cfg: DictConfig, protocol: Any, subject: EvaluatedNetwork) -> None:
    set_up(cfg, protocol, subject)


def evaluate_one(
    cfg: DictConfig,
    subject: EvaluatedNetwork,
    setting: EvaluationSetup,
    device: torch.device,
    world: World,
    told: set[tuple[str, str]],
) -> None:
    target = subject.folder / "results" / f"{cfg.name}.json"
    if world.on_main_then_broadcast(
        lambda: is_measured(target, subject, setting, overwrite=cfg.overwrite, table=cfg.table)
    ):
        return
    announce_evaluation(subject, setting, device, told)
    few = resolve_batch_size(cfg.batch_size, device)
    what = (setting.protocol, setting.chosen, setting.metrics, setting.extractors)
    measuring = Measurement(*what, device, few, world)
    reference = measure_protocol_baselines(measuring, setting.described, setting.stamp())
    meter = Meter(subject.model.to(device), device) if subject.model else None
    rows = network_rows(subject, meter, setting, cfg.samples)
    work = target.with_name(f"{cfg.name}{WORK}")
    measuring.measure(
        rows, work, {**setting.stamp(), "weights": subject.weights["sha256"], "samples": cfg.samples}, f"{subject.name}"
    )
    if reference is not None:
        result = assemble_result(subject, setting, reference, work, list(rows))
        concatenate(image_table_path(target), [work / PICTURES, reference.pictures], header=True)
        own = read_image_values(work / PICTURES)
        if setting.protocol.truth != "none":
            errors = mean_errors_by_colour(errors_of(work / ERRORS))._asdict()
            result = replace(result, color_errors={name: values.tolist() for name, values in errors.items()})
        files = write_samples(target, measuring, rows, own)  # before the cost is told: it may be all that is painted
        result = replace(result, cost=meter.cost() if meter else {})
        write_result(target, result)
        shutil.rmtree(work)
        report_result(cfg, subject, result, target, files)
    if subject.model:
        subject.model.to("cpu")
    world.gather(None)


def report_result(cfg: DictConfig, subject: EvaluatedNetwork, result: Result, target: Path, files: SampleFiles) -> None:
    """Write the page of a result, print its table, and send it to the tracker."""
    page = write_result_page(target)
    if cfg.table:
        print_result(result)
        if result.cost:
            say(cost_in_words(result.cost))
    if cfg.track:
        log_to_tracker(subject, result, target, files)
    say(f"kept in {str(target)!r}, each picture's numbers in its .csv, and as a page in {str(page)!r}")


def resolve_batch_size(wanted: int | str, device: torch.device) -> int:
    if wanted == "auto":
        return 4 if device.type == "cpu" else 32
    if not isinstance(wanted, int) or wanted < 1:
        raise UserError(f"batch_size is {wanted!r}; it must be auto, or 1 or more")
    return wanted


def is_measured(
    target: Path, subject: EvaluatedNetwork, setting: EvaluationSetup, *, overwrite: bool, table: bool
) -> bool:
    """Whether the very same has been measured; `table` shows it.

    Raises `UserError` where another result is in the way.
    """
    if overwrite or not target.is_file():
        return False
    kept = read_result(target)
    if kept.protocol["id"] != setting.described["id"]:
        raise UserError(
            f"{str(target)!r} holds {kept.protocol['id']}, and this is {setting.described['id']}: use name=… to keep "
            "both, or overwrite=true"
        )
    if kept.weights.get("network", {}).get("sha256") != subject.weights["sha256"]:
        raise UserError(f"{str(target)!r} is of other weights: use name=… to keep both, or overwrite=true")
    if kept.versions != library_versions() or set(setting.metrics) - set(kept.rows["model"]) - set(kept.absent):
        return False
    if table:
        print_result(kept)
    say(f"{str(target)!r} has been measured already; overwrite=true measures it again")
    return True


def announce_evaluation(
    subject: EvaluatedNetwork, setting: EvaluationSetup, device: torch.device, told: set[tuple[str, str]]
) -> None:
    """What is about to be measured. What is absent for every network of a command is `told` once."""
    count, whole = len(setting.chosen.photos), setting.chosen.whole
    part = f"{count} photographs" if count == whole else f"{count} of {whole} photographs, a subset,"
    step = f" ({subject.weights['of']}, step {subject.weights['step']})" if "step" in subject.weights else ""
    taken = setting.painted.taken if setting.painted else {}
    step += "".join(f", {count} pictures {way}" for way, count in taken.items())
    say(f"{subject.name}{step} on {device}: {part} of {setting.chosen.title}, protocol {setting.described['id']}")
    for note in setting.chosen.notes:
        say(note)
    for names, reason in group_by_reason(setting.absent):
        if (names, reason) not in told:
            say(f"{names} will be absent: {reason}")
    told |= set(group_by_reason(setting.absent))


def print_result(result: Result) -> None:
    """A line for each metric: of the network with intervals, then what to read it next to; then what is absent."""
    own = {row: cells for row, cells in result.rows.items() if row.startswith("model")}
    others = {row: cells for row, cells in result.rows.items() if row not in own}
    print_rows(own, f"{result.name}, protocol {result.protocol['id']}, 95 % intervals", ends=True)
    print_rows(others, "to read it next to", ends=False)
    for names, reason in group_by_reason(result.absent):
        say(f"absent: {names}: {reason}")


def print_rows(rows: Mapping[str, Mapping[str, Interval]], title: str, *, ends: bool) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("", overflow="fold")
    for row in rows:
        table.add_column(LABELS.get(row, row), justify="right")
        if ends:
            table.add_column("", no_wrap=True)
    for metric in dict.fromkeys(metric for row in rows.values() for metric in row):
        cells = [texts(of.get(metric), info_of(metric).digits) for of in rows.values()]
        table.add_row(info_of(metric).heading, *(each for cell in cells for each in cell[: 2 if ends else 1]))
    console.print(table)
