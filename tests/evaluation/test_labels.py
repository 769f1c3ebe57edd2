"""Classes of ImageNet reach the metrics that ask for them, in evaluation and in training."""

import json

import numpy as np
from PIL import Image
from timm.data import ImageNetInfo

from tests.helpers.configs import SMALL

WNIDS = ("n01440764", "n01443537")  # tench, goldfish: 0 and 1


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
    words = ["experiment=smoke", "model=cnn", "loss=l1", *SMALL["cnn"], "tracker=none", "evaluate.historical=false"]
    data = ["data=imagenet", f"data.root={root}", "evaluate.final=false", "metrics=full", "name=labelled"]
    metrics = ["metrics.top1.labelled=true", "metrics.lpips_alex.download=false", "metrics.lpips_vgg.download=false"]
    done = inside("train", *words, *data, *metrics)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "outputs/labelled/summary.json").read_text())
    assert 0 <= summary["val"]["top1"] <= 1
    evaluated = ["evaluate", "run=outputs/labelled", "metrics.top1.labelled=true", "table=false"]
    done = inside(*evaluated, *metrics[1:])
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "outputs/labelled/results/validation.json").read_text())
    assert result["rows"]["model"]["top1"]["n"] == 4
    assert "top1" not in result["absent"]


def test_without_labels_the_reason_is_said(inside, tmp_path):
    words = ["experiment=smoke", "model=cnn", "loss=l1", *SMALL["cnn"], "tracker=none", "evaluate.historical=false"]
    metrics = ["metrics=full", "metrics.top1.labelled=true", "metrics.lpips_alex.download=false"]
    done = inside("train", *words, *metrics, "metrics.lpips_vgg.download=false", "name=a", "schedule.all.steps=1")
    assert done.returncode == 0, done.stderr
    assert "metric 'top1' is left out: the photographs have no classes of ImageNet" in " ".join(done.stdout.split())
