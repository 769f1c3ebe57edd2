"""What the runs of the study reached: the scores of photographs, the verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from declared import JUDGED, NETWORKS
from study import read_scores
from verdicts import MARGINS, Values, Verdict, judge, rank


@dataclass(frozen=True)
class Judged:
    """scores: metric -> network -> (n, S), more is better; ranking: the networks, the best first."""

    scores: Mapping[str, Values]
    verdicts: Sequence[Verdict]
    ranking: Sequence[str]


def judge_runs(folder: Path) -> Judged:
    """The verdicts of the primary metrics. Raises `UserError` where a network or a seed is missing."""
    scores = {metric: read_scores(folder, JUDGED, metric, NETWORKS) for metric in MARGINS}
    verdicts = judge(scores)
    return Judged(scores, verdicts, rank(verdicts, scores["psnr"]))
