"""The page of runs, or of one: numbers, intervals, conclusions, photographs, curves, cost, config, provenance."""

from collections.abc import Mapping
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.compare import compare_results
from colorize.evaluation.comparison import Comparison
from colorize.evaluation.image_table import ImageValues, read_image_values
from colorize.evaluation.painted import pictures_taken
from colorize.evaluation.result import group_by_reason, image_table_path, row_label
from colorize.evaluation.samples import MOST_FULL
from colorize.metrics.full_reference import ErrorsByColour
from colorize.metrics.metric_info import Interval, info_of, measured_on
from colorize.reports.charts import Forest, color_error_charts, forest
from colorize.reports.conclusions import (
    conclude_single,
    draw_conclusions,
    grey_wins,
    measured_in_words,
    name_runs,
    weights_of_runs,
)
from colorize.reports.page import make_gallery, old_photographs, ranked_photographs, sheets, write_page
from colorize.reports.run_data import (
    RunData,
    config_table,
    cost_table,
    curve_charts,
    gather,
    provenance_of_results,
    provenance_of_summaries,
    run_colors,
)
from colorize.reports.tables import (
    OWN,
    TOO_FEW,
    TableCell,
    TableRow,
    TextTable,
    comparison_table,
    metric_cells,
    metric_table,
    metric_texts,
)

BASELINES = ("grey", "mean_ab", "truth")  # the rows that stand below the runs
SHOWN = 24  #        photographs that runs are compared by
CLASSES_SHOWN = 8  # at either end
FEWEST = 3  #        pictures of a class that is listed
CLASS_METRICS = ("lpips_alex", "features", "ciede2000", "psnr")  # classes are in the order of the first there is
MORE_METRICS = ("psnr", "chroma_error", "colorfulness")  # shown beside it


def write_comparison(target: Path, comparison: Comparison) -> None:
    """Of results, one or several. One file that needs no other. Raises `UserError` where a run's file is not whole."""
    runs = {label: gather(paths[0].parent.parent, paths[0]) for label, paths in comparison.results.items()}
    name, first, several = name_runs([*runs]), next(iter(runs.values())), len(runs) > 1
    weights = weights_of_runs(comparison)
    assert first.result is not None
    shown = next((run.result for run in runs.values() if run.result and not pictures_taken(run.result)), first.result)
    kept = {label: run.samples for label, run in runs.items() if run.samples}
    values: dict[str, Any] = {
        "heading": name, "source": comparison.protocol["id"], "several": several, "colors": run_colors(runs),
        "measured": [measured_in_words(shown), f"Weights: {weights}." if weights else ""],
        "ranking": ranking_table(comparison), "has_order": comparison.has_order,
        "order_metrics": [info_of(metric).label for metric in comparison.leading()],
        "forests": forests(comparison), "old": old_photographs(runs),
        "charts": curve_charts(runs), "costs": cost_table(runs), "configs": config_table(runs),
        "compared": [*kept], "without": [label for label in runs if label not in kept],
        "provenance": provenance_of_results(comparison, runs),
    }  # fmt: skip
    if several:
        values |= {
            "gallery": make_gallery(kept, SHOWN), "ranked": {}, "classes": None, "errors": [],
            "unavailable": unavailable_metrics(comparison),
            "numbers": comparison_table(comparison), "conclusions": draw_conclusions(comparison),
        }  # fmt: skip
    else:
        linked = target.parent if comparison.protocol.get("reader", "photographs") != "photographs" else None
        values |= {"gallery": make_gallery(kept, MOST_FULL, linked), **single_run(comparison, first)}
    values["notes"] = [*values["conclusions"].notes, *grey_wins(comparison)]
    write_page(target, "runs", f"{name} under {comparison.protocol['name']}", **values)


def write_result_page(result: Path) -> Path:
    """The page of the one result in a file, beside it."""
    comparison = compare_results([str(result)])
    assert comparison is not None
    write_comparison(page := result.with_suffix(".html"), comparison)
    return page


def write_trained(target: Path, summaries: Mapping[str, Mapping[str, Any]], folders: Mapping[str, Path]) -> None:
    """Of runs that were trained and not evaluated; both arguments by label."""
    runs = {label: gather(folder) for label, folder in folders.items()}
    validation, name = next(iter(summaries.values()))["validation"], name_runs([*runs])
    measured = f"{measured_on(validation['photographs'], validation['size'])}; the last weights"
    write_page(
        target, "trained", name, heading=name, source="as training ended", scores=score_table_of(summaries),
        measured=[f"{measured}; not evaluated under a protocol yet."],
        samples=sheets(runs, "samples"),
        old=old_photographs(runs), charts=curve_charts(runs), costs=cost_table(runs), configs=config_table(runs),
        several=len(runs) > 1, colors=run_colors(runs), provenance=provenance_of_summaries(summaries),
    )  # fmt: skip


def single_run(comparison: Comparison, run: RunData) -> dict[str, Any]:
    """What the page of one run shows in its own way."""
    assert run.result is not None
    (paths,) = comparison.results.values()
    table = image_table_path(paths[0])
    errors = {name: np.array(values, float) for name, values in run.result.color_errors.items()}
    images = read_image_values(table) if table.is_file() else ImageValues([], [], {})
    return {
        "ranked": ranked_photographs(images, run.samples), "classes": class_table(images),
        "errors": color_error_charts(ErrorsByColour(**errors)) if errors else [],
        "numbers": result_table(comparison), "unavailable": unavailable_metrics(comparison),
        "conclusions": conclude_single(paths, comparison.notes),
    }  # fmt: skip


def unavailable_metrics(comparison: Comparison) -> list[tuple[str, str]]:
    """(metrics, reason), each reason once; of several runs, with those that lack them where others do not."""
    found: dict[tuple[str, str], list[str]] = {}
    for label, absent in comparison.absent.items():
        for names, reason in group_by_reason(absent):
            found.setdefault((names, reason), []).append(label)
    every = len(comparison.runs)
    return [
        (names if len(labels) == every else f"{names} of {', '.join(labels)}", reason)
        for (names, reason), labels in found.items()
    ]


# --- the numbers


def ranking_table(comparison: Comparison) -> TextTable:
    """The runs in order, then grey, the mean colour and the truth; what runs do not share is among all numbers."""
    metrics, wins, places = comparison.leading(), comparison.net_wins(), comparison.places()
    runs = {label: comparison.runs[label] for label in wins}
    beside = {row: cells for row, cells in comparison.sanity.items() if row in BASELINES}
    table = metric_table(metrics, runs, beside, comparison.leaders, own=comparison.own, truth=comparison.has_order)
    dull, note = comparison.no_better_than_grey(), "no better than grey"
    rows = [row._replace(note=note) if row.name in dull and not row.kind else row for row in table.rows]
    if len(runs) == 1 or not comparison.has_order:
        return table._replace(rows=rows)
    order = [
        ("", "") if row.kind else (places[row.name], f"{wins[row.name]:+d}".replace("-", "−").replace("+0", "0"))
        for row in rows
    ]
    rows = [row._replace(cells=[*map(TableCell, pair), *row.cells]) for row, pair in zip(rows, order, strict=True)]
    return table._replace(heads=["", "place", "wins − losses", *table.heads[1:]], rows=rows)


def forests(comparison: Comparison) -> list[Forest]:
    """A chart for each leading metric, beside the one row that tells most: more would press the runs together."""
    found, colors = [], run_colors(comparison.runs)
    for metric in comparison.leading():
        runs = {label: row[metric] for label, row in comparison.runs.items() if metric in row}
        rows = ["truth"] if info_of(metric).better == "truth" else ["grey"]
        others = {row_label(row): comparison.sanity[row][metric].value
                  for row in rows if metric in comparison.sanity.get(row, {})}  # fmt: skip
        found += [forest(info_of(metric).with_truth(comparison.has_order), runs, others, colors)] if runs else []
    return found


def score_table_of(summaries: Mapping[str, Mapping[str, Any]]) -> TextTable:
    """The scores that trainings ended with, of runs that were not evaluated; `summaries`: by label, best first."""
    first = next(iter(summaries.values()))
    scores = {label: summary["val"] for label, summary in summaries.items()}
    runs, beside = (
        {name: {metric: Interval(value, nan, nan, 1) for metric, value in row.items()} for name, row in of.items()}
        for of in (scores, {**first["baseline"], "truth": first["truth"]})
    )
    metrics = list(dict.fromkeys(metric for row in [*runs.values(), *beside.values()] for metric in row))
    return metric_table(metrics, runs, beside, leaders=lambda metric: ())


def result_table(comparison: Comparison) -> TextTable:
    """Of one run: a row for each metric, a column for each row of its result, as there are many metrics and few rows;
    the interval of a baseline appears under the pointer."""
    columns = [(label, cells, True) for label, cells in comparison.runs.items()]
    columns += [(row_label(row), cells, row.startswith("model")) for row, cells in comparison.sanity.items()]
    trained_with = {metric for own in comparison.own.values() for metric in own}
    rows = []
    for metric in dict.fromkeys(metric for _, cells, _ in columns for metric in cells):
        found = []
        for _, cells, own in columns:
            value, ends = metric_texts(cells.get(metric), metric)
            mark = OWN if own and metric in trained_with else ""
            found.append(TableCell(f"{value}{mark}", ends if own or ends == TOO_FEW else "", title=ends))
        rows.append(TableRow(info_of(metric).with_truth(comparison.has_order).heading, found))
    return TextTable(["", *(label for label, _, _ in columns)], rows)


def class_table(images: ImageValues) -> tuple[str, TextTable] | None:
    """(what it shows, the classes that come out best and worst by the metric that sees most); None where there are not
    several."""
    groups: dict[str, list[int]] = {}
    for place, label in enumerate(images.labels):
        if label:
            groups.setdefault(label, []).append(place)
    groups = {label: places for label, places in groups.items() if len(places) >= FEWEST}
    metrics = [metric for metric in CLASS_METRICS if metric in images.values][:1]
    if not metrics or len(groups) < 2:
        return None
    metrics += [metric for metric in MORE_METRICS if metric in images.values and metric not in metrics]
    found = {
        label: {metric: mean_interval(images.values[metric][places]) for metric in metrics}
        for label, places in groups.items()
    }
    better = info_of(metrics[0]).better == "higher"
    order = sorted(found, key=lambda label: found[label][metrics[0]].value, reverse=better)
    sentence = f"{len(order)} classes of {FEWEST} pictures or more, best first"
    if len(order) > 2 * CLASSES_SHOWN:
        sentence += "; the middle is left out"
        order = [*order[:CLASSES_SHOWN], *order[-CLASSES_SHOWN:]]
    rows = []
    for label in order:
        first, *others = metric_cells(found[label], metrics)
        count = TableCell(str(len(groups[label])))
        rows.append(TableRow(label, [count, first, *(cell._replace(small="") for cell in others)]))
    return f"{sentence}.", TextTable(["class", "pictures", *(info_of(m).heading for m in metrics)], rows)
