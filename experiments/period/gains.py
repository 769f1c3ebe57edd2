"""results.csv, the tables in README.md and the contact sheet, from the runs of the study and what they painted."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from paintings import Painter, as_grey, kernel_scores, read_squares, write_sheet
from study import Line, flip, read_scores, replace_part, result_files, result_lines, show, write_results
from verdicts import ALPHA, Values, Verdict, compare, correct, decide_pair, pooled_seed_variance

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.entries import seeds_interval
from colorize.evaluation.result import read_result
from colorize.metrics.metric_info import info_of

BASE, LOOKS = "modern", ("film", "mixed")
TITLES = {"people_places": "people_places", "period": "Prokudin-Gorskii", "slides": "slides", "fsa": "FSA"}
SHOWN = {"model": "lightness", "model_ortho": "orthochromatic", "model_blue_plate": "blue plate"}
PRIMARY = ("psnr", "ciede2000")
DISTANCES = ("kd_efficientnet_lite0", "kd_mobilenet_v2")  # where there is no truth
PALER = 0.9  # of the chroma without the look: below, both primary metrics would gain by less colour alone


class Place(NamedTuple):
    """Photographs, and the row of their results that says what the networks were shown of them."""

    set: str
    row: str = "model"

    @property
    def metrics(self) -> tuple[str, str]:
        return DISTANCES if self.set == "fsa" else PRIMARY


MODERN, FSA = Place("people_places"), Place("fsa")
PLACES = (*(Place(name, row) for name in ("period", "slides") for row in SHOWN), FSA, MODERN)
Scores = Mapping[tuple[Place, str], Values]  # (place, metric) -> look -> (n, S), more is better
Numbers = Mapping[tuple[Place, str], float]  # (place, look) or (place, metric) -> a mean
Verdicts = Mapping[tuple[Place, str], list[Verdict]]  # (place, look) -> a verdict on it for each metric of the place


def write_report(here: Path, runs: Path, painted: Path, photographs: Path) -> int:
    """Into the folder `here`; the contact sheet is written into `painted`."""
    scores: dict[tuple[Place, str], Values] = {
        (place, metric): read_scores(runs, place.set, metric, (BASE, *LOOKS), place.row)
        for place in PLACES if place != FSA for metric in place.metrics
    }  # fmt: skip
    chroma, grey, lines = read_chroma(runs), read_grey(runs), list[Line]()
    folders = {key: painted / f"{key[0]}-s{key[1]}" for key, _ in sorted(result_files(runs, MODERN.set))}
    for metric, values in measure_paintings(folders, photographs).items():
        scores[FSA, metric] = {look: -np.stack([each for (of, _), each in values.items() if of == look], axis=1)
                               for look in (BASE, *LOOKS)}  # fmt: skip
        grey[FSA, metric] = float(values["grey", ""].mean())
        for (look, seed), each in values.items():
            lines += result_lines(look, FSA.set, seed, {metric: mean_interval(each)})
    verdicts = judge_looks(scores)
    write_results(here / "results.csv", runs, "look", lines)
    tables = {"differences": difference_table(scores, verdicts, chroma, grey), "gains": conclude(verdicts, chroma)}
    for name, found in tables.items():
        replace_part(here / "README.md", name, found)
        print("\n".join(["", *found]))
    first = {look: folders[look, 0] for look in (BASE, *LOOKS)}
    write_sheet(sheet := painted / "contact-sheet.jpg", {"photograph": photographs / "fsa", **first})
    print(f"\nto be looked at: {sheet}")
    return 0


def measure_paintings(painted: Mapping[Painter, Path], photographs: Path) -> dict[str, dict[Painter, np.ndarray]]:
    """metric -> painter -> (n,) values of the photographs without truth, those of grey among them."""
    squares: dict[Painter, dict[str, np.ndarray]] = {
        ("grey", ""): {name: as_grey(each) for name, each in read_squares(photographs / "fsa").items()},
        **{painter: read_squares(folder) for painter, folder in painted.items()},
    }
    assert all(of.keys() == squares["grey", ""].keys() for of in squares.values())
    pictures = {painter: [*of.values()] for painter, of in squares.items()}
    reference = [*read_squares(photographs / "val").values()]
    return {metric: kernel_scores(pictures, reference, metric.removeprefix("kd_")) for metric in FSA.metrics}


def read_grey(runs: Path) -> dict[tuple[Place, str], float]:
    """(place, metric) -> that of the photographs without colour."""
    found = {}
    for place in (place for place in PLACES if place != FSA):
        _, path = next(result_files(runs, place.set))
        row = read_result(path).rows["grey"]
        found |= {(place, metric): row[metric].value for metric in place.metrics}
    return found


def read_chroma(runs: Path) -> dict[tuple[Place, str], float]:
    """(place, look) -> chroma as a multiple of the truth's, the mean over seeds."""
    found: dict[tuple[Place, str], list[float]] = {}
    for place in (place for place in PLACES if place != FSA):
        for (look, _), path in result_files(runs, place.set):
            found.setdefault((place, look), []).append(read_result(path).rows[place.row]["chroma"].value)
    return {key: float(np.mean(values)) for key, values in found.items()}


def judge_looks(scores: Scores) -> Verdicts:
    """Each look against the base at each place: p by Holm over all of these tests."""
    keys = [(place, look, metric) for place, metric in scores for look in LOOKS]
    found = []
    for place, look, metric in keys:
        values = scores[place, metric]
        found.append(compare(look, BASE, metric, values, pooled_seed_variance(values)))
    verdicts: dict[tuple[Place, str], list[Verdict]] = {}
    for (place, look, _), verdict in zip(keys, correct(found), strict=True):
        verdicts.setdefault((place, look), []).append(verdict)
    return verdicts


def difference_table(scores: Scores, verdicts: Verdicts, chroma: Numbers, grey: Numbers) -> list[str]:
    """For each place and metric grey, the base, and by how much each look differs from this; bold where p is small."""
    heads = ["photographs", "shown", "metric", "grey", BASE, *(f"{look} − {BASE}" for look in LOOKS)]
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- | --- |{' --: |' * (len(heads) - 3)}"]
    for place in PLACES:
        first = f"| {TITLES[place.set]} | {SHOWN[place.row]}"
        for number, metric in enumerate(place.metrics):
            base = show(metric, flip(metric, seeds_interval(scores[place, metric][BASE])))
            cells = [show_difference(metric, verdicts[place, look][number]) for look in LOOKS]
            colourless = f"{grey[place, metric]:.{info_of(metric).digits}f}"
            lines.append(f"{first} | {info_of(metric).heading} | {colourless} | {base} | {' | '.join(cells)} |")
        if (place, BASE) in chroma:
            base = chroma[place, BASE]
            cells = [f"{base:.2f}", *(f"{chroma[place, look] - base:+.2f}" for look in LOOKS)]
            lines.append(f"{first} | {info_of('chroma').heading} | 0.00 | {' | '.join(cells)} |")
    return lines


def show_difference(metric: str, verdict: Verdict) -> str:
    text = show(metric, flip(metric, verdict.advantage), "+")
    return f"**{text}**" if verdict.p <= ALPHA else text


def conclude(verdicts: Verdicts, chroma: Numbers) -> list[str]:
    """What each look gains and loses, and what follows for the film look."""
    lines, gained = [], False
    for look in LOOKS:
        words = {place: word_on(place, look, verdicts, chroma) for place in PLACES}
        gained |= any(word == "a gain" for place, word in words.items() if place != MODERN)
        told = [f"{word} on {name_places(words, word)}" for word in dict.fromkeys(words.values())]
        lines += [f"- **{look}**: {'; '.join(told)}."]
    return [*lines, "", f"By the rule above, the film look {'stays in' if gained else 'leaves'} the product."]


def word_on(place: Place, look: str, verdicts: Verdicts, chroma: Numbers) -> str:
    word = decide_pair(verdicts[place, look])
    if word == "better" and (place, BASE) in chroma and chroma[place, look] < PALER * chroma[place, BASE]:
        return "better by paler colours alone"
    return {"better": "a gain", "worse": "a loss", "equal": "equal", "mixed": "mixed"}.get(word, "nothing decided")


def name_places(words: Mapping[Place, str], word: str) -> str:
    """The places of this word, in a line."""
    shown: dict[str, list[str]] = {}
    for place in (place for place, each in words.items() if each == word):
        shown.setdefault(place.set, []).append(SHOWN[place.row])
    return ", ".join(f"{TITLES[name]} ({', '.join(inputs)})" for name, inputs in shown.items())
