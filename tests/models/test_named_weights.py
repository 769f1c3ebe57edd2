"""Weights by name: those that are shipped are taken where none are named, and published ones are fetched."""

import shutil

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image

import colorize
from colorize.cli import main
from colorize.cli import models as listing
from colorize.evaluation.network import open_network
from colorize.models import CNN, named_weights
from colorize.models import load as loading
from colorize.models.export import networks
from colorize.models.named_weights import PUBLISHED, resolve_weights, shipped_weights
from colorize.run_folder import RunFolder
from colorize.training.build import build_parts
from colorize.utils.errors import UserError
from tests.helpers.configs import SMALL

CARD = {"name": "little network", "use": "tests", "license": "mit", "trained_size": 32}
SAID = "weights base, shipped with colorize, for tests"


@pytest.fixture
def shipped(tmp_path, monkeypatch, tiny):
    """A package that ships weights: a small network called base."""
    torch.manual_seed(0)
    folder = tmp_path / "package" / "weights"
    colorize.save(build_parts(tiny("model=gan_unet", "loss=l1", *SMALL["gan_unet"])).model, folder / "base", CARD)
    monkeypatch.setattr(named_weights, "WEIGHTS", folder)
    return folder / "base"


@pytest.fixture
def none_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(named_weights, "WEIGHTS", tmp_path / "nothing")


@pytest.fixture
def photograph(tmp_path):
    Image.linear_gradient("L").resize((48, 40)).save(tmp_path / "old.png")
    return tmp_path / "old.png"


def test_paint_takes_the_shipped_weights_and_says_so(shipped, inside, photograph, tmp_path):
    for words, to in (((), "unnamed"), (("-w", "base"), "named"), (("-w", shipped), "folder")):
        done = inside("paint", photograph, *words, "-o", tmp_path / f"{to}.png")
        assert done.returncode == 0, done.stderr
        assert (SAID in done.stdout) == (to != "folder")
        assert "colour predicted at 32 pixels" in done.stdout
    painted = [Image.open(tmp_path / f"{to}.png").tobytes() for to in ("unnamed", "named", "folder")]
    assert painted[0] == painted[1] == painted[2]  # the pixels: what made them is in the metadata


def test_load_takes_the_shipped_weights_and_says_so(shipped, capsys):
    unnamed = colorize.load()
    assert SAID in capsys.readouterr().out
    wanted = colorize.load(shipped).state_dict()
    assert capsys.readouterr().out == ""
    assert all(torch.equal(value, wanted[name]) for name, value in unnamed.state_dict().items())


def test_where_none_are_shipped_one_sentence_says_so(none_shipped, inside, photograph, tmp_path):
    with pytest.raises(UserError, match=r"ships no weights: name a network with --weights, .* colorize.load"):
        colorize.load()
    done = inside("paint", photograph, "-o", tmp_path / "out")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "--weights" in done.stderr
    assert "there is no file or folder 'base'" in inside("paint", photograph, "-w", "base", "-o", "out").stderr


def test_shipped_weights_are_tuned_further_and_evaluated(shipped, inside, tmp_path):
    words = ("experiment=smoke", "tracker=none", "evaluate.historical=false", "model=gan_unet", *SMALL["gan_unet"])
    done = inside("train", *words, "loss=l1", "init_from=base", "name=tuned")
    assert done.returncode == 0, done.stderr
    assert SAID in done.stdout
    assert "model: weights of base" in done.stdout
    assert RunFolder(tmp_path / "outputs" / "tuned").read_summary()["weights"]["init_from"] == "base"
    found = open_network("base", "best", None)
    assert (found.name, found.size, found.weights["of"]) == ("base", 32, "base")


def test_what_lies_here_under_that_name_comes_first(shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    colorize.save(CNN(width=0.1, global_size=32), tmp_path / "ddcolor")
    assert isinstance(colorize.load("ddcolor"), CNN)
    assert resolve_weights("ddcolor") == "ddcolor"
    assert resolve_weights("base") == shipped


def test_published_weights_are_fetched_by_name(shipped, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(loading, "snapshot_download", lambda name, **_: asked.append(name) or str(shipped))
    monkeypatch.setattr(loading, "hf_hub_download", lambda *name: asked.append(name) or str(shipped))
    colorize.load("ddcolor")
    said = capsys.readouterr().out
    assert "piddnad/ddcolor_modelscope" in said
    assert "912 MB, licence Apache-2.0" in said
    colorize.load("thesis-gan")
    assert "licence none stated" in capsys.readouterr().out
    assert asked == ["piddnad/ddcolor_modelscope", ("ivansetka/image-colorizer", "gan.pth")]

    def absent(*_, **__):
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(loading, "snapshot_download", absent)
    with pytest.raises(
        UserError, match="'ddcolor' is not on this machine, and cannot be fetched from the hub: check the"
    ):
        colorize.load("ddcolor")
    with pytest.raises(UserError, match="did you mean ddcolor"):
        colorize.load("ddcolr")


def test_models_lists_what_is_here_and_what_can_be_had(shipped, run_folder, inside, tmp_path, monkeypatch):
    hub = tmp_path / "hub"
    monkeypatch.setattr(listing.constants, "HF_HUB_CACHE", str(hub))
    for name in ("piddnad--ddcolor_paper_tiny", "some--one"):
        kept = hub / f"models--{name}"
        (kept / "refs").mkdir(parents=True)
        (kept / "refs" / "main").write_text("0")
        (kept / "snapshots" / "0").mkdir(parents=True)
    (hub / "models--piddnad--ddcolor_paper_tiny" / "snapshots" / "0" / "pytorch_model.bin").touch()
    colorize.save(CNN(width=0.1, global_size=32), hub / "models--some--one" / "snapshots" / "0", {"name": "theirs"})
    run_folder(to="outputs/good")
    bad = run_folder(to="outputs/bad")
    (bad / "checkpoints" / "best.pt").write_bytes(b"cut")
    shutil.copytree(shipped, tmp_path / "outputs" / "broken")
    (tmp_path / "outputs" / "broken" / "config.json").write_text('{"library_name": "colorize"')
    colorize.save(CNN(width=0.1, global_size=32), tmp_path / "outputs" / "mine", {"license": "cc0-1.0"})
    done = inside("models")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[1]: line for line in done.stdout.splitlines() if len(line.split()) > 2}
    for name, words in {
        "base": ("shipped", "UNet", "mit", "tests"),
        "outputs/good": ("here", "CNN", "best.pt, step", "32 pixels"),
        "outputs/bad": ("does not load",),
        "outputs/broken": ("does not load",),
        "outputs/mine": ("here", "CNN", "cc0-1.0"),
        "some/one": ("in the hub's cache", "theirs"),
        "ddcolor": ("fetched when named", "Transformer", "912", "Apache-2.0"),
        "ddcolor-tiny": ("in the hub's cache", "220"),
        "thesis-cnn": ("CNN", "none stated"),
    }.items():
        assert all(word in lines[name] for word in words), lines[name]
    assert "ships no weights" not in done.stdout
    assert {known.network for known in PUBLISHED.values()} <= networks().keys()


def test_models_says_that_none_are_shipped(none_shipped, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(listing.constants, "HF_HUB_CACHE", str(tmp_path / "no cache"))
    assert main(["models", str(tmp_path / "no folder")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert main(["models", str(tmp_path)]) == 0
    assert "this version ships no weights: name some with --weights" in capsys.readouterr().out


def test_what_is_shipped_is_small():
    """12 MB at most, and each a whole export with a licence and a use; none in a version that ships none."""
    assert sum(path.stat().st_size for path in named_weights.WEIGHTS.rglob("*")) <= 12e6
    for folder in shipped_weights().values():
        assert {"model.safetensors", "config.json", "README.md"} <= {path.name for path in folder.iterdir()}
        assert isinstance(colorize.load(folder), tuple(networks().values()))
        card = loading.read_card(folder)
        assert card["license"]
        assert card["use"]
