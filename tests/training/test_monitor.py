"""Which of two checkpoints, and of two jobs, is the better one: what the metric says of itself."""

import pytest
from omegaconf import OmegaConf

from colorize.config import DIRECTIONS, MODES, better_of, sign_of
from colorize.run_folder import RunFolder
from colorize.sweeps.results import directions_of, objective_signs
from colorize.utils.errors import UserError
from tests.helpers.commands import refused
from tests.helpers.configs import tiny_words
from tests.helpers.resumed import TINY

METRICS = {
    "psnr": {"_target_": "colorize.metrics.PSNR"},
    "features": {"_target_": "colorize.metrics.FeatureDistance"},
    "chroma": {"_target_": "colorize.metrics.Chroma"},
    "mine": {"_target_": "colorize.metrics.Judge", "better": "lower"},
}
CFG = OmegaConf.create({"metrics": METRICS, "checkpoint": {"monitor": "val/features", "mode": None}})


@pytest.mark.parametrize(
    ("number", "better"),
    [
        ("val/psnr", "higher"), ("val/features", "lower"), ("val/chroma", "truth"), ("val/mine", "lower"),
        ("seconds", "lower"), ("val/unknown", None),
    ],
)  # fmt: skip
def test_a_metric_says_which_end_is_better(number, better):
    assert better_of(CFG, number) == better


def test_the_direction_is_the_metrics_own():
    assert sign_of("val/psnr", "higher", None, "checkpoint.mode", MODES) == 1
    assert sign_of("val/features", "lower", None, "checkpoint.mode", MODES) == -1
    assert sign_of("val/features", "lower", "min", "checkpoint.mode", MODES) == -1
    assert sign_of("val/chroma", "truth", "max", "checkpoint.mode", MODES) == 1
    for better, said in (("lower", "max"), ("higher", "min")):
        with pytest.raises(UserError, match=f"checkpoint.mode={said} would keep the worst.*leave checkpoint.mode out"):
            sign_of("val/x", better, said, "checkpoint.mode", MODES)
    for better in ("truth", None):
        with pytest.raises(UserError, match="neither end of val/x is the better one"):
            sign_of("val/x", better, None, "checkpoint.mode", MODES)
    with pytest.raises(UserError, match="direction is 'up'; it must be maximize or minimize"):
        sign_of("val/x", "higher", *directions_of("up", ["val/x"]), "hydra.sweeper.direction", DIRECTIONS)
    with pytest.raises(UserError, match=r"checkpoint\.mode is 'most'; it must be max or min"):
        sign_of("val/x", "higher", "most", "checkpoint.mode", MODES)


def test_a_lower_feature_distance_is_kept(inside, tmp_path):
    words = (
        *TINY,
        "tracker=none",
        f"+metrics.features={{_target_: {METRICS['features']['_target_']}}}",
        "evaluate.every=1",
        "evaluate.photographs=4",
        "checkpoint.monitor=val/features",
        "name=run",
    )
    refused(inside("train", *words, "checkpoint.mode=max"), "checkpoint.mode=max would keep the worst")
    assert inside("train", *words).returncode == 0
    from colorize.utils.serialization import read
    from tests.helpers.commands import lines

    folder = tmp_path / "outputs" / "run"
    scores = {line["step"]: line["val/features"] for line in lines(folder) if line["step"] and "val/features" in line}
    assert read(RunFolder(folder).checkpoint("best"))["steps"] == min(scores, key=scores.get)


def test_a_sweep_ranks_as_the_metric_says():
    assert objective_signs({}, CFG) == {"val/features": False}
    assert objective_signs({"objective": ["val/psnr", "seconds"], "direction": None}, CFG) == {
        "val/psnr": True, "seconds": False
    }  # fmt: skip
    with pytest.raises(UserError, match=r"hydra\.sweeper\.direction=maximize would keep the worst"):
        objective_signs({"objective": "seconds", "direction": "maximize"}, CFG)
    with pytest.raises(UserError, match="objective is 'val/snr', and the runs measure val/psnr, val/features, "):
        objective_signs({"objective": "val/snr"}, CFG)
    assert directions_of(None, ["a", "b"]) == [None, None]
    assert directions_of("minimize", ["a"]) == ["minimize"]


@pytest.mark.parametrize("search", ["hparams_search=cmaes", "seed=0,1"])
def test_a_sweep_whose_jobs_would_keep_the_worst_is_refused_before_the_first(search, inside, tmp_path):
    words = (*tiny_words("cnn", "l1"), "metrics=default", "checkpoint.monitor=val/features", "checkpoint.mode=max")
    refused(inside("train", "-m", *words, search), "checkpoint.mode=max would keep the worst")
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("mode", MODES)
def test_a_search_of_what_the_recipe_monitors_goes_the_way_of_its_mode(mode):
    cfg = OmegaConf.merge(CFG, {"checkpoint": {"monitor": "val/chroma", "mode": mode}})
    assert objective_signs({"objective": "val/chroma"}, cfg) == {"val/chroma": mode == "max"}
    with pytest.raises(UserError, match=r"neither end of val/chroma is the better one.*hydra\.sweeper\.direction"):
        objective_signs({"objective": "val/chroma"}, CFG)
