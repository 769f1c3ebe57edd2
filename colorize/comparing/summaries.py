"""The scores that runs ended with, for runs that were not evaluated under a named protocol yet."""

from __future__ import annotations

from colorize.errors import UserError
from colorize.runs import RunFolder
from colorize.terminal import measured_on, score_table


def compare_summaries(folders: list[str]) -> None:
    """Print one table of the finished runs in `folders`, best PSNR first."""
    summaries = {folder: RunFolder(folder).read_summary() for folder in folders}
    for folder, summary in summaries.items():
        if summary.get("status") != "finished":
            raise UserError(
                f"{folder!r} holds no finished run: its summary.json says {summary.get('status', 'nothing')}"
            )
    first, *others = summaries.items()
    for folder, summary in others:
        for key in ("photographs", "size", "manifest"):
            value = first[1]["validation"][key]
            if summary["validation"][key] != value:
                raise UserError(
                    f"{first[0]!r} and {folder!r} cannot be compared: their validation {key} is {value!r} and "
                    f"{summary['validation'][key]!r}"
                )
    ranked = sorted(summaries.values(), key=lambda summary: -summary["val"]["psnr"])
    table = {summary["name"]: summary["val"] for summary in ranked}
    title = measured_on(first[1]["validation"]["photographs"], first[1]["validation"]["size"])
    score_table({**table, **first[1]["baseline"], "truth": first[1]["truth"]}, title)
