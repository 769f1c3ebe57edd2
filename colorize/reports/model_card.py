"""The model card of an export: Markdown with a YAML head, as the Hugging Face hub has it (Mitchell et al. 2019)."""

import csv
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import Environment, PackageLoader, StrictUndefined

from colorize.evaluation.painted import label_of
from colorize.evaluation.result import Result, group_by_reason, judged_by_own
from colorize.metrics.metric_info import info_of
from colorize.reports.conclusions import checkpoint_in_words, conclude_single, measured_in_words
from colorize.reports.tables import metric_texts
from colorize.utils.console import markdown_table
from colorize.utils.errors import UserError, suggestion
from colorize.utils.files import write_text
from colorize.utils.stored_config import read_yaml
from colorize.utils.validation import check_arguments

LIMITS = (  # of every network that colours photographs by themselves
    "Colours are predicted from lightness alone. They are plausible, and not those that were there: the colour of a "
    "dress, a wall or a flag cannot be known from a grey photograph.",
    "Where several colours are plausible, the prediction tends to their mean, which is dull.",
)
PROHIBITED = (
    "As evidence of the colours of anything or anybody, in court, in research or in the press.",
    "To tell or to alter the origin, the skin colour or the identity of a person.",
    "For pictures that are shown or sold without saying that a program added their colours.",
)


@dataclass(frozen=True)
class CardDetails:
    """What people say of a network, in a YAML file; the paths in it are relative to it.

    name, license  of the weights; the latter as the hub spells it, such as mit
    use            what it is good for, to follow "for"
    description    a paragraph
    machine        that it was trained on
    data           a .csv or .tsv: which photographs it was trained on, from where, and under which licences
    limits, prohibited  sentences, besides `LIMITS` and `PROHIBITED`
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


def write_card(
    folder: Path, details: CardDetails, network: str, training: Mapping[str, str], evaluated: Sequence[Evaluated],
    trust: str = "",
) -> None:  # fmt: skip
    """README.md in the folder of an export, and the pictures that it shows.

    network   a sentence: its class, its size, how it is stored
    training  what -> how: the rows of a table
    trust     what `colorize.load` takes after the folder, for a network of one's own
    """
    for each in details.pictures:
        shutil.copy(details.folder / each["file"], folder / Path(each["file"]).name)
    environment = Environment(
        loader=PackageLoader("colorize.reports"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    text = environment.get_template("model_card.md.j2").render(
        head=card_head(details, evaluated), details=details, name=details.name, folder=folder.name, network=network,
        trust=trust, limits=[*LIMITS, *details.limits], prohibited=[*PROHIBITED, *details.prohibited],
        data=file_table(details.folder / details.data) if details.data else "",
        training=markdown_table(["", ""], [*training.items()]) if training else "",
        results=[describe_result(each) for each in evaluated],
        tables=[(each, file_table(details.folder / each["file"])) for each in details.tables],
        pictures=[(Path(each["file"]).name, each.get("caption", "")) for each in details.pictures],
    )  # fmt: skip
    write_text(folder / "README.md", text)


def card_head(details: CardDetails, evaluated: Iterable[Evaluated]) -> str:
    """The YAML head: what the hub sorts and shows models by, with every value of the network in the results."""
    values = [
        EvalResult(
            task_type="image-to-image", dataset_type=path.stem, dataset_name=result.protocol["id"], metric_type=metric,
            metric_name=info_of(metric).heading, metric_value=cell.value,
        )
        for path, result, _ in evaluated for metric, cell in result.rows["model"].items() if isfinite(cell.value)
    ]  # fmt: skip
    data = ModelCardData(
        license=details.license or None, library_name="colorize", tags=["image-colorization"],
        pipeline_tag="image-to-image", model_name=details.name, eval_results=values or None,
    )  # fmt: skip
    return data.to_yaml()


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
