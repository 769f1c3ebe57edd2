"""What six seeds and 480 photographs can tell: the study's own verdicts on made scores, before its first run.

    python experiments/four_models/power.py               # writes power.csv and the README's table, minutes

Scores of six networks are drawn again and again and judged. A score is the network's mean, what the photograph does to
it, what the seed does to all photographs, and what the seed does to this one; each is normal and drawn for both metrics
together. What was assumed is in ASSUMED.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))
from declared import NETWORKS, SEEDS
from study import replace_part
from verdicts import MARGINS, Verdict, by_pair, decide_pair, judge

HERE = Path(__file__).parent
PHOTOGRAPHS = 480
SCALE = {"psnr": 1.0, "ciede2000": MARGINS["ciede2000"] / MARGINS["psnr"]}  # the same truth in either unit


class Deviations(NamedTuple):
    """Standard deviations of a metric, in its unit. Of two networks' difference those of photographs are √2 as large.

    photographs   of what a photograph does to one network and not to another
    interactions  of what a seed does to one photograph
    seeds         of what a seed does to all photographs
    """

    photographs: float
    interactions: float
    seeds: float


# Seen before on the demo's 24 photographs: two networks' difference varies by 2.4 dB and 3 ΔE, the part of seeds
# included (cpu/cnn and cpu/gan_unet less quickstart), and CORRELATION is that of the two metrics' differences. 0.8 dB,
# 1.2 ΔE and 0.29 ΔE: three seeds of quickstart. Those of experiments/quickstart have 0.14 dB between them.
ASSUMED = {"psnr": Deviations(1.6, 0.8, 0.12), "ciede2000": Deviations(1.9, 1.2, 0.29)}
CORRELATION = 0.9
FACTORS = {  # of each network's deviation between seeds
    "as assumed": (1, 1, 1, 1, 1, 1), "twice": (2, 2, 2, 2, 2, 2), "four times": (4, 4, 4, 4, 4, 4),
    "of two networks four times": (1, 1, 4, 4, 1, 1),
}  # fmt: skip
# the means of the six networks in dB; in the other metric they are as many margins apart
TRUTHS = {
    "all equal": (0.0,) * 6,
    "0.3 dB from one to the next": (0.0, 0.3, 0.6, 0.9, 1.2, 1.5),
    "three groups, 0.5 dB apart": (0.0, 0.0, 0.5, 0.5, 1.0, 1.0),
    "two groups at the margin": (0.0, 0.0, 0.0, 0.3, 0.3, 0.3),
}
ROWS = [*((factor, len(SEEDS), True) for factor in FACTORS), ("as assumed", 3, True), ("as assumed", 12, True),
        ("of two networks four times", len(SEEDS), False)]  # fmt: skip
COLUMNS = ("truth", "between seeds", "seeds", "variance", "decided", "better", "equal", "mixed", "any false better",
           "false equal")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("-o", "--output", type=Path, help="another file than power.csv; the README is left as it is")
    words = parser.parse_args()
    lines = []
    with (words.output or HERE / "power.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for truth, means in TRUTHS.items():
            for factor, seeds, own in ROWS:
                found = repeat(means, FACTORS[factor], seeds, words.repetitions, own=own)
                variance = "or the pair's own" if own else "pooled alone"
                lines.append([truth, factor, f"{seeds}", variance, *(f"{value:.3g}" for value in found)])
                writer.writerow(lines[-1])
                file.flush()
    if words.output is None:
        head = [f"| {' | '.join(COLUMNS)} |", f"| --- | --- | --: | --- |{' --: |' * (len(COLUMNS) - 4)}"]
        told = f"*{words.repetitions} repetitions of {PHOTOGRAPHS} photographs each.*"
        replace_part(HERE / "README.md", "power", [*head, *(f"| {' | '.join(line)} |" for line in lines), "", told])


def repeat(
    means: Sequence[float], factors: Sequence[float], seeds: int, repetitions: int, *, own: bool = True
) -> list[float]:
    """Of `COLUMNS`, from "decided" on: means of the numbers of pairs; the share of repetitions in which anything is
    called better that is not; and of pairs that differ by the margin or more, the share that is called equal."""
    random = np.random.default_rng(0)
    counts = [count(means, judge(draw(random, means, factors, seeds), own=own)) for _ in range(repetitions)]
    return np.mean(counts, axis=0).tolist()


def count(means: Sequence[float], verdicts: Sequence[Verdict]) -> list[float]:
    truth = dict(zip(NETWORKS, means, strict=True))
    decided = [(truth[a] - truth[b], decide_pair(both)) for (a, b), both in by_pair(verdicts).items()]
    pairs = [word for _, word in decided]
    apart = [word == "equal" for gap, word in decided if abs(gap) >= MARGINS["psnr"]]
    wrong = {"better": lambda gap: gap <= 0, "worse": lambda gap: gap >= 0}
    false = [each.word in wrong and wrong[each.word](truth[each.a] - truth[each.b]) for each in verdicts]
    better = pairs.count("better") + pairs.count("worse")
    return [len(pairs) - pairs.count("open"), better, pairs.count("equal"), pairs.count("mixed"), float(any(false)),
            float(np.mean(apart)) if apart else 0.0]  # fmt: skip


def draw(
    random: np.random.Generator, means: Sequence[float], factors: Sequence[float], seeds: int
) -> dict[str, dict[str, np.ndarray]]:
    """metric -> network -> (480, seeds), more is better."""
    covariance = np.array([[1, CORRELATION], [CORRELATION, 1]])
    scores: dict[str, dict[str, np.ndarray]] = {metric: {} for metric in ASSUMED}
    for network, mean, factor in zip(NETWORKS, means, factors, strict=True):
        parts = [random.multivariate_normal((0, 0), covariance, shape)
                 for shape in ((PHOTOGRAPHS, 1), (PHOTOGRAPHS, seeds), (1, seeds))]  # fmt: skip
        for place, (metric, of) in enumerate(ASSUMED.items()):
            deviations = (of.photographs, of.interactions, factor * of.seeds)
            drawn = sum(deviation * part[..., place] for deviation, part in zip(deviations, parts, strict=True))
            scores[metric][network] = SCALE[metric] * mean + drawn
    return scores


if __name__ == "__main__":
    main()
