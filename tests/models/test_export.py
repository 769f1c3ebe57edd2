"""Exports: the same network again, and no network but those of this package."""

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard

import colorize
from colorize.cli import main
from colorize.imaging.gamut import ab_bins
from colorize.models import MultiColor, UNet, named_weights
from colorize.models import load as loading
from colorize.utils.errors import UserError
from tests.helpers.configs import SMALL, options


@pytest.mark.parametrize(
    ("name", "more"), [*((name, []) for name in options("model")), ("transformer", ["+model.bins=true"])]
)
@torch.no_grad()
def test_an_export_comes_back_the_same(name, more, tiny, tmp_path):
    from colorize.training.build import build_parts

    words = ("loss=" + ("ddpm" if name == "diffusion" else "l1"), *SMALL.get(name, []), *more)
    model = build_parts(tiny(f"model={name}", *words)).model.eval()
    colorize.save(model, tmp_path / "out", {"name": "mine", "license": "mit", "trained_size": 96})
    ab_bins.cache_clear()  # as in a process that has not built the network before
    again = colorize.load(tmp_path / "out")
    assert type(again) is type(model)
    ours, theirs = model.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    L = 100 * torch.rand(1, 1, 40, 40)
    chances = [torch.Generator().manual_seed(0) for _ in range(2)]
    assert torch.allclose(model.colorize(L, chances[:1]), again.colorize(L, chances[1:]), atol=0.01)  # layouts differ
    assert "license: mit" in (tmp_path / "out" / "README.md").read_text()
    assert loading.trained_size(tmp_path / "out") == 96


def test_an_export_names_a_network_of_this_package(tmp_path):
    model = MultiColor(
        encoder="test_convnext", pretrained=False, widths=(8, 8, 8), queries=4, dim=16, complement=(8, 8)
    )
    colorize.save(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for change, words in [
        ({"network": "os.system"}, "'os.system', which is not of this program"),
        ({"network": "colorize.losses.L1"}, "'colorize.losses.L1', which is no Colorizer"),
        ({"network": "GPT"}, "reads format 1 for one of"),
        ({"network": ["UNet"]}, "reads format 1 for one of"),
        ({"format": 2}, "is of format 2"),
        ({"settings": {"colour": 1}}, "MultiColor takes no 'colour'"),
        ({"settings": {**config["settings"], "queries": 5}}, "instead of"),
    ]:
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(UserError, match=words):
            colorize.load(tmp_path)


def test_a_run_is_loaded_and_exported(inside, trained, tmp_path):
    run = trained()
    model = colorize.load(run)
    last = colorize.load(run / "checkpoints" / "step-00000004.pt")
    assert type(model) is type(last)
    done = inside("export", run, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    again = colorize.load(tmp_path / "out")
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    best = torch.load(run / "checkpoints" / "best.pt", weights_only=True)[
        "steps"
    ]  # the weights that a run is loaded with
    assert (config["trained_size"], config["steps"], config["name"]) == (32, best, run.name)
    for words, message in [
        ((run, "-o", tmp_path / "out"), "holds config.json, README.md, model.safetensors already"),
        ((run,), "the following arguments are required: -o/--output"),
        ((run, "-o", "x", "--licenze", "mit"), "did you mean --licence?"),
        (("nowhere", "-o", "x"), "no file or folder 'nowhere'"),
    ]:
        refused = inside("export", *words)
        assert refused.returncode == 2
        assert message in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1
    assert main(["--help"]) == 0


@pytest.mark.parametrize("half", [[], ["--half"]])
def test_an_export_of_the_shipped_weights_keeps_what_their_card_says(half, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = named_weights.shipped_weights()["base"]
    assert main(["export", "base", "-o", "first", *half]) == 0
    assert main(["export", "first", "-o", "again", "--name", "mine", "--licence", "cc0-1.0"]) == 0
    places = (shipped, Path("first"), Path("again"))
    before, first, again = (json.loads((place / "config.json").read_text()) for place in places)
    assert first == before
    assert again == before | {"name": "mine", "license": "cc0-1.0"}
    before, first, again = (ModelCard.load(place / "README.md") for place in places)
    assert (first.data.license, again.data.license, again.data.model_name) == ("mit", "cc0-1.0", "mine")
    assert first.data.eval_results == again.data.eval_results == before.data.eval_results
    for card, place, precision in ((first, "first", "half" if half else "single"), (again, "again", "single")):
        assert card.text.partition("## Uses")[2] == before.text.partition("## Uses")[2]
        assert card.text.count("## Format") == 1
        assert f"stored as safetensors, in {precision} precision" in card.text
        assert f'colorize.load("{place}")' in card.text
        assert (Path(place) / "failures.jpg").read_bytes() == (shipped / "failures.jpg").read_bytes()
    assert again.text.strip().startswith("# mine\n")


def test_the_card_of_an_export_names_no_files_of_elsewhere_and_is_read_or_refused(tmp_path, inside):
    colorize.save(UNet(widths=(8, 8, 8)), tmp_path / "source", {"name": ["odd"]})
    card = tmp_path / "source" / "README.md"
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    card.write_text("---\nlicense: mit\n---\n# x\n\n![a](../secret.jpg) ![b](model.safetensors) ![c](none.jpg)\n")
    done = inside("export", tmp_path / "source", "-o", tmp_path / "out", "--half")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"README.md", "config.json", "model.safetensors"}
    assert json.loads((tmp_path / "out" / "config.json").read_text())["name"] == "source"
    sizes = [(tmp_path / place / "model.safetensors").stat().st_size for place in ("source", "out")]
    assert sizes[1] < 0.7 * sizes[0]
    card.write_text("---\n- [\n---\n")
    refused = inside("export", tmp_path / "source", "-o", tmp_path / "other")
    assert refused.returncode == 2
    assert "README.md' is no model card" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "other").exists()
