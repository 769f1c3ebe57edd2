"""Model cards, read back: their tables, and their numbers beside those of the results that they are of."""

import re
from math import isfinite, isnan
from pathlib import Path

from huggingface_hub import ModelCard

from colorize.evaluation.result import read_result, row_label
from colorize.metrics.metric_info import info_of


def sections(card: Path) -> dict[str, str]:
    """Title of a part, of any level -> its text."""
    parts = re.split(r"^#+ (.+)$", card.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table(text: str) -> list[dict[str, str]]:
    """The rows of the first Markdown table, by the heads of its columns; "" is that of the first."""
    lines = [line for line in text.splitlines() if line.startswith("| ") or line.startswith("|  ")]
    cells = [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def number(text: str) -> float:
    return float(text.replace("−", "-").replace("∞", "inf"))


def check_numbers(card: Path, results: list[Path] | list[str]) -> int:
    """Every number of each result stands in the card, in its table with its interval and in the head; how many."""
    read, found = sections(card), 0
    head = {(each.dataset_type, each.metric_type): each.metric_value for each in ModelCard.load(card).data.eval_results}
    for path in map(Path, results):
        result = read_result(path)
        rows = {row[""]: row for row in table(read[path.stem])}
        assert len(rows) == len(result.rows["model"])
        for row, cells in result.rows.items():
            for metric, cell in cells.items():
                if metric not in result.rows["model"] or not isfinite(cell.value):
                    continue
                info = info_of(metric)
                said = re.findall(r"[−-]?[\d.]+|∞", rows[info.heading][row_label(row)])
                wanted = [cell.value, *([] if isnan(cell.low) or isnan(cell.high) else [cell.low, cell.high])]
                assert len(said) == len(wanted)
                for text, value in zip(said, wanted, strict=True):
                    assert abs(number(text) - value) <= 0.5000001 * 10**-info.digits, (metric, row, text, value)
                found += 1
                if row == "model":
                    assert head.pop((path.stem, metric)) == cell.value
    assert not head, f"the card's head has numbers of no result: {head}"
    return found
