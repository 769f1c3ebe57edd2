"""init_from: weights of a run, an export or a published file to begin with, and what they lack."""

import json

import pytest
import torch

from colorize.run_folder import RunFolder
from tests.helpers.commands import refused
from tests.helpers.configs import SMALL, tiny_words
from tests.helpers.published import published, two_networks
from tests.helpers.run_weights import weights

GAN = ("experiment=smoke", "tracker=none", "model=gan_unet", *SMALL["gan_unet"], "evaluate.historical=false")
PUBLISHED = {  # file: the model that it holds, the loss to go on with, the side of a picture
    "thesis_cnn": ("cnn", "iizuka", 224),
    "thesis_gan": ("gan", "pix2pix", 64),
    "thesis_diffusion": ("diffusion", "ddpm", 32),
    "thesis_transformer": ("transformer", "ddcolor", 64),
    "ddcolor_tiny": ("transformer", "ddcolor", 64),
}


def test_a_run_begins_from_another(inside, run_folder, tmp_path):
    first, second = run_folder("gan_unet", "pix2pix", to="first"), tmp_path / "second"
    frozen_rate = ("optimizer.lr=1e-12", "optimizer.critic.lr=1e-12", "seed=3")
    words = (*GAN, "loss=pix2pix", f"init_from={first}", *frozen_rate, f"hydra.run.dir={second}")
    done = inside("train", *words)
    assert done.returncode == 0, done.stderr
    assert f"model: weights of {first}" in done.stdout
    assert f"critic 'adversarial': weights of {first}" in done.stdout
    began, ended = weights(first, "best"), weights(second)
    for name, value in began["model"]["average"].items():
        if name.endswith("weight"):  # the file's sizes, and hardly moved
            assert torch.allclose(value, ended["model"]["module"][name.removeprefix("module.")], atol=1e-6)
    summary = json.loads((second / "summary.json").read_text())
    assert summary["weights"]["init_from"] == "…/first"
    assert RunFolder(second).read_config().model.widths == [8, 8, 16, 32]
    assert "is finished" in inside("train", *words).stdout


def test_what_is_said_of_the_network_holds_and_its_sizes_are_the_files(inside, run_folder, tmp_path):
    first = run_folder("transformer")
    words = ("experiment=smoke", "tracker=none", "evaluate.historical=false", "model=transformer", "loss=l1")
    done = inside("train", *words, f"init_from={first}", "model.freeze=true", "model.queries=8", "name=second")
    assert done.returncode == 0, done.stderr
    assert "model.encoder: test_convnext, weights of init_from" in done.stdout
    assert "its settings replace the config's: model.encoder=test_convnext " in done.stdout
    config = RunFolder(tmp_path / "outputs" / "second").read_config()
    assert (config.model.freeze, config.model.encoder, config.model.dim) == (True, "test_convnext", 16)
    before, after = weights(first, "best")["model"]["average"], weights(tmp_path / "outputs" / "second")["model"]
    for name, value in after["module"].items():
        if name.startswith("encoder."):
            assert torch.equal(value, before[f"module.{name}"]), name
    again = inside("train", *words, f"init_from={first}", "model.freeze=false", "name=second")
    refused(again, "model.freeze (True there, False now)")
    for said, message in [
        (("model.dim=32",), "model.dim=32 would make another network than the one that"),
        (("model.pretrained=true",), "are two sources of weights"),
    ]:
        refused(inside("train", *words, f"init_from={first}", *said, "name=third"), message)


def test_what_a_file_lacks_is_said(inside, run_folder, tmp_path):
    first = run_folder("gan_unet", "l1", to="first")
    assert inside("export", first, "-o", tmp_path / "out").returncode == 0
    done = inside("train", *GAN, "loss=pix2pix", f"init_from={tmp_path / 'out'}", "name=second")
    assert done.returncode == 0, done.stderr
    assert "critic 'adversarial' starts fresh" in done.stdout
    refused(
        inside("train", "experiment=smoke", "model=cnn", "loss=l1", f"init_from={first}", "name=third"),
        "holds a UNet, and model=cnn is a CNN",
    )
    refused(inside("train", *GAN, "init_from=nowhere", "name=third"), "there is no file or folder 'nowhere'")


def test_another_head_for_classes_starts_fresh(inside, photographs, tmp_path):
    words = tiny_words("cnn", "iizuka", "data=folder", f"data.root={photographs}")
    assert inside("train", *words, "name=two").returncode == 0
    (photographs / "birds").mkdir()
    for i in (12, 13):
        (photographs / f"photo {i}.jpg").rename(photographs / "birds" / f"{i}.jpg")
    done = inside("train", *words, "init_from=outputs/two", "name=three")
    assert done.returncode == 0, done.stderr
    assert "start fresh: the file's head is for other classes" in done.stdout
    done = inside("train", *words, "data.labels=false", "init_from=outputs/two", "name=none")
    assert "the file's head for classes is left out" in done.stdout


@pytest.mark.slow
@published
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_weights_are_tuned_further(name, inside, foreign, tmp_path):
    model, loss, size = PUBLISHED[name]
    state = foreign(name)
    torch.save(two_networks(state) if model == "diffusion" else state, tmp_path / f"{name}.pth")
    words = ("experiment=smoke", "tracker=none", f"model={model}", f"loss={loss}", f"data.size={size}", "metrics=quick")
    done = inside("train", *words, f"init_from={tmp_path / name}.pth", "schedule.all.steps=2", "name=tuned")
    assert done.returncode == 0, done.stderr
    assert f"model: weights of {tmp_path / name}.pth" in done.stdout
    assert ("critic 'adversarial' starts fresh" in done.stdout) == (loss in ("pix2pix", "ddcolor"))
    assert json.loads((tmp_path / "outputs" / "tuned" / "summary.json").read_text())["status"] == "finished"
