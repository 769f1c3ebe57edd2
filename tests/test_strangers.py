"""A short part of the campaign over what strangers send: exports, weights and checkpoints, damaged or hostile."""

import json
import math
import os
import pickle
import shutil
import zipfile

import pytest
import torch
from conftest import ROOT

import colorize
from colorize import loading
from colorize.errors import UserError
from colorize.importers.files import take_out
from colorize.models import CNN, Diffusion, MultiColor, PatchCritic, Transformer
from colorize.record import FIELDS, read_record

CASES = ROOT.parent / "shared" / "cases" / "weights"
SETTINGS = [  # of an exported network, whose weights are whole
    {"global_size": -32}, {"global_size": 0}, {"width": math.nan}, {"width": math.inf}, {"width": "wide"},
    {"width": -1}, {"width": 1e9}, {"branches": 3}, {"branches": {"_target_": "os.system"}}, {"classes": -1},
    {"classes": 10**12}, {"upsample": ["bilinear"]}, {"unknown": 1}, {"width": None}, {"_target_": "os.system"},
    {"global_size": 1e9},
]  # fmt: skip
CARDS = [{"trained_size": value} for value in ("a word", [64], math.inf, 10**7, -1, 0, True, 1.5)]
OPTIONS = [
    {"checkpoint_path": "evil.pkl"}, {"pretrained_cfg_overlay": {"url": "http://localhost/x"}}, {"pretrained_cfg": "x"},
    {"cache_dir": "."}, {"depths": "1"}, {"depths": [10**9] * 4}, {"depths": [1] * 100}, {"dims": [math.nan] * 4},
]  # fmt: skip


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    return colorize.save(CNN(width=0.1, global_size=32), folder, {"trained_size": 32})


def changed(export, folder, **change):
    shutil.copytree(export, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    return folder


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_settings_that_describe_no_such_network_are_one_sentence(settings, export, tmp_path):
    held = json.loads((export / "config.json").read_text())["settings"]
    folder = changed(export, tmp_path / "out", settings=held | settings)
    with pytest.raises(UserError) as caught:
        colorize.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("card", CARDS, ids=str)
def test_a_size_that_is_none_is_one_sentence(card, export, tmp_path):
    with pytest.raises(UserError, match="trained_size in"):
        loading.trained_size(changed(export, tmp_path / "out", **card))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_an_encoders_options_are_known_ones(options, tmp_path):
    small = dict(widths=(8, 8, 8), queries=4, dim=16, heads=2, feedforward=8, rounds=1)
    with pytest.raises(UserError, match="encoder_options"):
        Transformer(encoder="test_convnext", pretrained=False, encoder_options=options, **small)
    folder = colorize.save(Transformer(encoder="test_convnext", pretrained=False, **small), tmp_path / "out")
    config = json.loads((folder / "config.json").read_text())
    config["settings"]["encoder_options"] = options
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError):
        colorize.load(folder)


WRONG = ["a text", [1], {"a": [1]}, -1, 0.5, True, None, math.nan, 10**30]


@pytest.mark.parametrize("field", FIELDS)
def test_a_record_is_checked_once_when_it_is_read(field, run_folder, tmp_path):
    path = next((run_folder() / "checkpoints").glob("step-*.pt"))
    state = read_record(path)
    fits, _ = FIELDS[field]
    for value in [each for each in WRONG if not fits(each)]:
        torch.save(state | {field: value}, tmp_path / "step-00000001.pt")
        with pytest.raises(UserError, match=f"its '{field}' is not"):
            read_record(tmp_path / "step-00000001.pt")
    torch.save({key: value for key, value in state.items() if key != field}, tmp_path / "step-00000001.pt")
    with pytest.raises(UserError, match=f"it has no '{field}'"):
        read_record(tmp_path / "step-00000001.pt")


def test_a_file_that_would_fill_the_memory_is_refused(tmp_path):
    torch.save({"params": {"a": torch.zeros(1).expand(10**12)}}, tmp_path / "wide.pth")
    with pytest.raises(UserError, match="not the bytes for"):
        colorize.load(tmp_path / "wide.pth")
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10**7)
    with pytest.raises(UserError, match="more than it has"):
        colorize.load(tmp_path / "bomb.pth")


def test_what_is_no_weights_is_called_what_it_is(export, tmp_path):
    kinds = {
        "pointer.pth": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"),
        "page.pth": (b"\n<!DOCTYPE html><html></html>", "a web page"), "empty.pth": (b"", "empty"),
        "picture.pth": (b"\xff\xd8\xff\xe0" + bytes(100), "a photograph (JPEG)"),
        "text.bin": (b"a\nb\n", "a text that"),
        "code.pth": (pickle.dumps(os.system), "would run code"), "packed.pth": (b"\x1f\x8b" + bytes(50), "gzip"),
    }  # fmt: skip
    for name, (content, words) in kinds.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError) as caught:
            colorize.load(tmp_path / name)
        assert words in str(caught.value), name
        assert "overwrite" not in str(caught.value)
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("model.pth", b"x")
    with pytest.raises(UserError, match=r"a zip file of other things \(model.pth\)"):
        colorize.load(tmp_path / "zip.pth")
    with pytest.raises(UserError, match="describes an export: give its folder"):
        colorize.load(export / "README.md")


@pytest.mark.skipif(not CASES.is_dir(), reason=f"the odd files are not at {CASES}")
def test_odd_weights_are_refused_in_a_sentence():
    for path in sorted(CASES.iterdir()):
        with pytest.raises(UserError) as caught:
            colorize.load(path)
        assert "\n" not in str(caught.value)
        assert "overwrite" not in str(caught.value)


@pytest.mark.parametrize("wrap", [
    lambda state: {f"module.{k}": v for k, v in state.items()},
    lambda state: {f"module.module.{k}": v for k, v in state.items()},
    lambda state: {"state_dict": {f"_orig_mod.{k}": v for k, v in state.items()}},
    lambda state: {"state_dict": {f"net_g.{k}": v for k, v in state.items()} | {"net_d.w": torch.zeros(1)}},
    lambda state: {"net_g": state, "net_d": {"w": torch.zeros(1)}}, lambda state: {"ema": state, "step": 5},
    lambda state: {"params_ema": state, "params": {"x": torch.ones(1)}},
    lambda state: {"state_dict": {"params": {f"model.{k}": v for k, v in state.items()}}},
    lambda state: {f"module.{k}": v for k, v in state.items()} | {"n_averaged": torch.tensor(3)},
])  # fmt: skip
def test_containers_and_prefixes_are_taken_off(wrap, tmp_path):
    state = {"low_net.layers.0.0.weight": torch.ones(2), "global_net.fc1.0.bias": torch.zeros(3)}
    found = take_out(wrap(state), tmp_path / "a.pth")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], value) for name, value in state.items())


def test_paths_are_paths_and_the_nearest_is_suggested(run_folder, tmp_path, monkeypatch):
    run_folder(to="outputs/quickstart")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loading, "fetch", lambda name: pytest.fail("the hub was asked"))
    for word in ("outputs/qickstart", "./outputs/qickstart"):
        with pytest.raises(UserError, match="did you mean outputs/quickstart"):
            colorize.load(word)
    for word in ("nowhere", "models/a.pth", "../a/b", "/a/b"):
        with pytest.raises(UserError, match="there is no file or folder"):
            colorize.load(word)
    assert loading.is_hub_name("piddnad/ddcolor_paper_tiny")
    assert loading.is_hub_name("owner/name/folder/gan.pth")


def test_another_programs_config_beside_weights_is_passed_over(tmp_path):
    for content in ("[1, 2]", "{", '{"trained_size": "x"}', "\udcff"):
        (tmp_path / "config.json").write_bytes(content.encode("utf-8", "surrogateescape"))
        assert loading.trained_size(tmp_path / "a.pth") is None


def test_a_network_takes_its_arguments_by_place_and_keeps_them():
    class Mine(CNN):
        def __init__(self, width: float = 1.0):
            super().__init__(width=width, global_size=32)

    assert Mine(0.1).settings == Mine(width=0.1).settings == {"width": 0.1}
    assert Mine().settings == {}


def test_the_calls_that_were_agreed():
    torch.manual_seed(0)
    for objective in ("noise", "velocity"):
        model = Diffusion(widths=(8, 16), time=16, dropout=0, steps=50, objective=objective).eval()
        L, clean, noise = 100 * torch.rand(2, 1, 16, 16), torch.randn(2, 2, 16, 16), torch.randn(2, 2, 16, 16)
        t = torch.tensor([3, 40])
        noisy = model.noise.add(clean, noise, t)
        said = model.predict_noise(noisy, t, L)
        x0 = model.noise.clean(noisy, model.denoise(L, noisy, t, model.look(L)), t)
        kept, added = model.noise.roots(t)
        assert torch.allclose(said, (noisy - kept * x0) / added, atol=1e-3)
    multi = MultiColor(
        encoder="test_convnext", pretrained=False, widths=(16, 16, 16), queries=8, dim=16, heads=2, feedforward=32,
        rounds=1, complement=(8, 16, 8),
    ).eval()  # fmt: skip
    L = 100 * torch.rand(1, 1, 32, 32)
    rgb = multi.predict_rgb(L)
    assert rgb.shape == (1, 3, 32, 32)
    assert torch.equal(multi.ab_of(rgb), multi.predict_ab(L))


def test_pretrained_weights_for_an_encoder_of_its_own_are_refused():
    with pytest.raises(UserError, match=r"needs an encoder of timm's"):
        Diffusion(widths=(8, 16), time=16, pretrained=True)


def test_grey_has_no_hue():
    from colorize.color import chroma, lab_to_rgb

    L = torch.linspace(0, 100, 1001).view(1, 1, 1, -1)
    rgb = lab_to_rgb(L, torch.zeros(1, 2, 1, 1001))
    for space in ("hs", "hsv"):
        assert chroma(space, rgb).abs().max() == 0
    step = torch.tensor([128, 127, 127.0]).view(1, 3, 1, 1) / 255  # one step of 8 bits is a colour
    assert chroma("hs", step)[0, 1] > 0


def test_a_critic_starts_as_torchs_layers_do_where_the_thesis_code_has_it(config):
    torch.manual_seed(0)
    isola, torchs = PatchCritic(16), PatchCritic(16, start="torch")
    assert isola.layers[0].weight.std().item() == pytest.approx(0.02, rel=0.1)
    bound = 1 / math.sqrt(3 * 16)  # of torch's uniform start
    assert torchs.layers[0].weight.abs().max().item() == pytest.approx(bound, rel=0.05)
    cfg = config("experiment=thesis/gan_as_run", "data.root=x")
    assert cfg.loss.terms.adversarial.critic.start == "torch"


def test_the_package_lists_what_it_offers():
    assert {"load", "save"} <= set(dir(colorize))
