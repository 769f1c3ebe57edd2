"""What the model card of an export says: what people say of the network, and its results."""

import csv
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import EvalResult, ModelCard
from yaml import YAMLError

from colorize.evaluation.painted import label_of
from colorize.evaluation.result import Result, group_by_reason, judged_by_own
from colorize.metrics.metric_info import info_of
from colorize.reports.conclusions import checkpoint_in_words, conclude_single, measured_in_words
from colorize.reports.tables import metric_texts
from colorize.utils.console import markdown_table
from colorize.utils.errors import UserError, first_line, suggestion
from colorize.utils.files import write_text
from colorize.utils.stored_config import read_yaml
from colorize.utils.validation import check_arguments


@dataclass(frozen=True)
class CardDetails:
    """What people say of a network, in a YAML file; the paths in it are relative to it.

    name, license  of the weights; the latter as the hub spells it, such as mit
    use            what it is good for, to follow "for"
    description    a paragraph
    machine        that it was trained on
    data           a .csv or .tsv: which photographs it was trained on, from where, and under which licences
    limits, prohibited  sentences, besides those of every card
    tables         {title, file, note}: further results, .csv or .tsv
    pictures       {file, caption}: where it fails; they are copied beside the card
    """

    name: str = ""
    license: str = ""
    use: str = ""
    description: str = ""
    machine: str = ""
    data: str = ""
    limits: Sequence[str] = ()
    prohibited: Sequence[str] = ()
    tables: Sequence[Mapping[str, str]] = ()
    pictures: Sequence[Mapping[str, str]] = ()
    folder: Path = field(default=Path(), metadata={"own": True})


KEYS = {"tables": ("title", "file", "note"), "pictures": ("file", "caption")}


class Evaluated(NamedTuple):
    """A result of the network, its file, and whether it is of the weights as they are stored: else of those before they
    were rounded to half precision."""

    path: Path
    result: Result
    stored: bool


def read_details(path: Path) -> CardDetails:
    """Raises `UserError` for a file that is none of the kind, or that names files that are not there."""
    if not path.is_file():
        raise UserError(f"there is no file {str(path)!r}, which --card names")
    held, known = read_yaml(path), [each.name for each in fields(CardDetails) if not each.metadata]
    if not isinstance(held, dict):
        raise UserError(f"{str(path)!r} describes no card: it must have names and values, such as license: mit")
    for key in held.keys() - set(known):
        raise UserError(
            f"{str(path)!r} has {key!r}{suggestion(str(key), known) or '; it may have ' + ', '.join(known)}"
        )
    check_arguments(held, CardDetails, "")
    for name, keys in KEYS.items():
        for each in held.get(name, ()):
            if "file" not in each or (odd := each.keys() - set(keys)):
                raise UserError(f"{str(path)!r}: each of {name} has {', '.join(keys)}, and not {sorted(odd or each)}")
    details = CardDetails(**held, folder=path.parent)
    files = [details.data, *(each["file"] for each in (*details.tables, *details.pictures))]
    for file in filter(None, files):
        if not (details.folder / file).is_file():
            raise UserError(f"{str(path)!r} names {file!r}, and there is no such file in {str(details.folder)!r}")
    return details


def describe_card(details: CardDetails, training: Mapping[str, str], evaluated: Sequence[Evaluated]) -> dict[str, Any]:
    """Arguments of `models.export.write_card`; training: what -> how, the rows of a table."""
    return {
        "name": details.name, "license": details.license, "values": [*list_values(evaluated)],
        "description": details.description, "use": details.use, "limits": details.limits,
        "prohibited": details.prohibited,
        "data": file_table(details.folder / details.data) if details.data else "",
        "training": markdown_table(["", ""], [*training.items()]) if training else "",
        "results": [describe_result(each) for each in evaluated],
        "tables": [(each, file_table(details.folder / each["file"])) for each in details.tables],
        "pictures": [(Path(each["file"]).name, each.get("caption", "")) for each in details.pictures],
    }  # fmt: skip


def copy_pictures(details: CardDetails, folder: Path) -> None:
    """Beside the card in the folder, which shows them."""
    for each in details.pictures:
        shutil.copy(details.folder / each["file"], folder / Path(each["file"]).name)


def read_model_card(path: Path) -> ModelCard | None:
    """None where there is no such file. Raises `UserError` for one whose head cannot be read."""
    try:
        return ModelCard(path.read_text("utf-8")) if path.is_file() else None
    except (ValueError, TypeError, KeyError, RecursionError, YAMLError) as error:
        raise UserError(f"{str(path)!r} is no model card ({first_line(error)}): write another with --card") from error


def carry_card(card: ModelCard, source: Path, folder: Path, name: str, license: str, stored: str) -> None:
    """Write the model card of the export `source`, with its pictures, for the same network in `folder`.

    stored  what the section Format says of the files
    """
    card.data["license"], card.data["model_name"] = license or card.data.get("license"), name
    text = re.sub(r"(?ms)^## Format\n.*?(?=^## |\Z)", "", card.text).replace(", stored in half precision", "")
    text = re.sub(r"(?m)^# .*$", lambda _: f"# {name}", text, count=1)
    text = re.sub(r'colorize\.load\("[^"\n]*"', lambda _: f'colorize.load("{folder.name}"', text)
    before, uses, after = text.partition("\n## Uses\n")
    stored += "\n\nThe scores in the head and under Evaluation are those of the weights before this export."
    card.text = f"{before.rstrip()}\n\n## Format\n\n{stored}\n{uses}{after}"
    write_text(folder / "README.md", str(card))
    for picture in re.findall(r"!\[.*?\]\(([^/\\)]+)\)", text):  # of that folder alone
        if (source / picture).is_file() and not (folder / picture).exists():
            shutil.copy(source / picture, folder / picture)


def list_values(evaluated: Iterable[Evaluated]) -> Iterator[EvalResult]:
    """Every value of the network in the results, by which the hub sorts models."""
    for path, result, _ in evaluated:
        for metric, cell in result.rows["model"].items():
            if isfinite(cell.value):
                yield EvalResult(
                    task_type="image-to-image", dataset_type=path.stem, dataset_name=result.protocol["id"],
                    metric_type=metric, metric_name=info_of(metric).heading, metric_value=cell.value,
                )  # fmt: skip


def describe_result(evaluated: Evaluated) -> dict[str, Any]:
    """Of a result: how it was measured, a table with a line for each metric, and the sentences about it."""
    path, result, stored = evaluated
    rows, measured = result.rows, [*result.rows["model"]]
    known = result.protocol.get("truth") != "none"
    heads = {metric: info_of(metric).with_truth(known).heading for metric in measured}
    lines = [[heads[metric], *(cell_text(cells, metric) for cells in rows.values())] for metric in measured]
    notes = [] if stored else ["Measured with the weights in single precision, before they were rounded."]
    notes += [f"{info_of(metric).label} is flattered: the network was trained with {network}, which measures it."
              for metric, network in judged_by_own(result).items()]  # fmt: skip
    notes += [f"{names}: not measured, {reason}" for names, reason in group_by_reason(result.absent)]
    return {
        "title": path.stem, "protocol": result.protocol["id"],
        "how": f"{measured_in_words(result)} {checkpoint_in_words(result)}".strip(),
        "table": markdown_table(["", *(label_of(row, result) for row in rows)], lines),
        "notes": [*conclude_single([path], []).lines(), *notes],
    }  # fmt: skip


def cell_text(cells: Mapping[str, Any], metric: str) -> str:
    """`23.10 (22.50 to 23.70)`"""
    value, ends = metric_texts(cells.get(metric), metric)
    return f"{value} ({ends})" if ends else value


def file_table(path: Path) -> str:
    """A .csv or .tsv as it stands."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *lines = csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
    return markdown_table(head, lines)
