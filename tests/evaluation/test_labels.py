"""Classes of ImageNet reach the metrics that ask for them, in evaluation and in training."""

import json

import numpy as np
from PIL import Image
from timm.data import ImageNetInfo

from tests.helpers.configs import tiny_words

WNIDS = ("n01440764", "n01443537")  # tench, goldfish: 0 and 1


TOP1 = "+metrics.top1={_target_: colorize.metrics.Recognition, network: tf_efficientnet_lite0, labelled: true}"


def class_folders(folder):
    random = np.random.default_rng(0)
    for part, count in (("train", 3), ("val", 2)):
        for wnid in WNIDS:
            (folder / part / wnid).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 256, (40, 40, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / part / wnid / f"{wnid}_{number}.JPEG")
    return folder


def test_recognition_by_labels_is_measured(inside, tmp_path):
    assert ImageNetInfo().label_names()[:2] == list(WNIDS)
    root = class_folders(tmp_path / "imagenet")
    data = ["data=imagenet", f"data.root={root}", "evaluate.final=[]", "schedule.all.steps=1", "name=labelled"]
    done = inside("train", *tiny_words("cnn", "l1"), *data, TOP1)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "outputs/labelled/summary.json").read_text())
    assert 0 <= summary["val"]["top1"] <= 1
    evaluated = ["evaluate", "run=outputs/labelled", "protocol.extractors=[]", "metrics=quick", "table=false"]
    done = inside(*evaluated, TOP1)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "outputs/labelled/results/validation.json").read_text())
    assert result["rows"]["model"]["top1"]["n"] == 4
    assert "top1" not in result["absent"]


def test_without_labels_the_reason_is_said(inside, tmp_path):
    done = inside("train", *tiny_words("cnn", "l1"), TOP1, "name=a", "schedule.all.steps=1")
    assert done.returncode == 0, done.stderr
    assert "metric 'top1' is left out: the photographs have no classes of ImageNet" in " ".join(done.stdout.split())
