"""Published checkpoints: what they compute in our networks, and what is said to files that are not whole.

`published.npz` holds what the thesis's own code computes with the weights of `deterministic.py` (and, for gan.pth,
fastai 2.8.2's DynamicUnet): every 8th pixel, every 4th of the diffusion network's. Its inputs are below.
"""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file

import colorize
from colorize.models import MultiColor, Transformer
from colorize.models import load as loading
from colorize.models.load import recognise
from colorize.models.weights import fold_spectral_norm
from colorize.utils.errors import UserError
from tests.helpers.configs import ROOT
from tests.helpers.published import KEYS, published, two_networks


def close(ours, theirs, tolerance=1e-3):
    """‖y − r‖ is small beside ‖r − its mean over batch and pixels‖, which a network that ignores its input fails."""
    theirs = torch.as_tensor(theirs)
    spread = theirs - theirs.mean(dim=(0, 2, 3), keepdim=True)
    assert ours.shape == theirs.shape
    assert (ours - theirs).norm() < tolerance * spread.norm()


def converted(state, container=lambda state: state, path=Path("file.pth")):
    return recognise(colorize.models.weights.take_out(container(state), path), path).eval()


@published
@torch.no_grad()
def test_the_thesis_cnn(foreign, deterministic):
    model = converted(foreign("thesis_cnn"), lambda state: {"model_state_dict": state, "epoch": 20})
    held, L = np.load(KEYS / "thesis_cnn.npz"), deterministic.luminance(2, 224, 224)
    ab, summary = model.see(L)
    close((ab[..., ::8, ::8] + 128) / 255, held["out0"])
    assert torch.allclose(model.classify(summary), torch.from_numpy(held["out1"]), rtol=1e-3, atol=1e-4)


@published
@pytest.mark.parametrize("container", ["params", "flat", "module", "old"])
@torch.no_grad()
def test_ddcolor_tiny(container, foreign, deterministic):
    state = foreign("ddcolor_tiny")
    held = {
        "params": {"params": state},
        "flat": state,
        "module": {"params": {"wrong": torch.zeros(1)}, "params_ema": {f"module.{k}": v for k, v in state.items()}},
        "old": {"params": state | {f"encoder.arch.head_cls.{k}": torch.zeros(4) for k in ("weight", "bias")}},
    }[container]
    model = converted(held)
    assert "parametrizations" not in "".join(model.state_dict())  # spectral norm is folded
    if container != "params":
        return
    ab = model.predict_ab(deterministic.luminance(2, 256, 256))
    close(ab[..., ::8, ::8], np.load(KEYS / "ddcolor_tiny.npz")["out0"])


NETWORKS = {
    "thesis_gan": (lambda state: {"generator_state_dict": state}, lambda model, L: model.predict_ab(L) / 128),
    "thesis_gan_plain": (lambda state: state, lambda model, L: model.predict_ab(L) / 128),
    "thesis_transformer": (lambda state: {"model_state_dict": state}, lambda model, L: model.predict_ab(L) / 128),
    "thesis_multicolor": (lambda state: {"model_state_dict": state}, lambda model, L: model.see(L)[1]),
}


@published
@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_the_thesis_networks(name, foreign, deterministic):
    container, answer = NETWORKS[name]
    model, L = converted(foreign(name), container), deterministic.luminance(2, 256, 256)
    vectors = np.load(ROOT / "tests" / "data" / "published.npz")
    close(answer(model, L)[..., ::8, ::8], vectors[name], 1e-4)
    if isinstance(model, MultiColor):
        said, _ = model.see(L)
        for i, (space, unit) in enumerate([("lab", 128), ("hs", 1), ("yuv", 1)]):
            close(said[space][..., ::8, ::8] / unit, vectors[f"{name}_{i}"], 1e-4)


@published
@torch.no_grad()
def test_the_thesis_diffusion(foreign, deterministic):
    model = converted(foreign("thesis_diffusion"), two_networks)
    L = deterministic.luminance(2, 128, 128)
    noisy = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 2, 128, 128)).astype(np.float32))
    said = model.denoise(L, noisy, torch.tensor([3, 400]), model.look(L))
    close(said[..., ::4, ::4], np.load(ROOT / "tests" / "data" / "published.npz")["thesis_diffusion"], 1e-4)


@published
def test_ddcolor_large_has_a_place_for_every_weight():
    keys = json.loads((KEYS / "ddcolor_large_keys.json").read_text())["keys"]
    state = {k["name"]: torch.zeros(()).expand(k["shape"]) for k in keys}
    for name, value in state.items():
        if name.endswith(("weight_u", "weight_v")):
            state[name] = value + 1
    model = converted(state)
    assert model.settings["encoder"] == "convnext_large.fb_in22k"


def small_ddcolor():
    """A DDColor-like network of odd depths and widths, and its state under the official names."""
    torch.manual_seed(0)
    sizes = {"depths": [1, 2, 1, 1], "dims": [8, 16, 24, 32]}
    model = Transformer(encoder="convnext_tiny", pretrained=False, widths=(16, 16, 8), queries=6, dim=16, heads=8,
                        feedforward=24, rounds=2, encoder_options=sizes)  # fmt: skip
    model.train().predict_ab(100 * torch.rand(2, 1, 64, 64))
    return model.eval()


def official(model):
    """The inverse of the importer, by hand: our names to DDColor's, linear layers and spectral norm's hooks too."""
    names = [
        ("encoder.mean", "mean"), ("encoder.std", "std"), ("encoder.net.stem_", "encoder.arch.downsample_layers.0."),
        *((f"encoder.net.stages_{i}.downsample.", f"encoder.arch.downsample_layers.{i}.") for i in range(4)),
        *((f"encoder.net.stages_{i}.blocks.", f"encoder.arch.stages.{i}.") for i in range(4)),
        (".conv_dw.", ".dwconv."), (".mlp.fc1.", ".pwconv1."), (".mlp.fc2.", ".pwconv2."),
        *((f"norms.{i}.", f"encoder.arch.norm{i}.") for i in range(4)),
        *((f"pixels.steps.{i}.{a}.", f"decoder.layers.{i}.{b}.") for i in range(3) for a, b in (
            ("up", "shuf.conv.0"), ("up_norm", "shuf.conv.1"), ("skip_norm", "bn"), ("mix", "conv.0"),
            ("mix_norm", "conv.2"))),
        ("pixels.last.", "decoder.last_shuf.conv.0."), ("refine.", "refine_net.0.0."),
        ("colours.query.", "decoder.color_decoder.query_feat."),
        ("colours.level.", "decoder.color_decoder.level_embed."),
        ("colours.query_place.", "decoder.color_decoder.query_embed."),
        ("colours.project.", "decoder.color_decoder.input_proj."),
        *((f"colours.layers.{i}.{a}.", f"decoder.color_decoder.transformer_{b}.") for i in range(6) for a, b in (
            ("read", f"cross_attention_layers.{i}.multihead_attn"), ("read_norm", f"cross_attention_layers.{i}.norm"),
            ("talk", f"self_attention_layers.{i}.self_attn"), ("talk_norm", f"self_attention_layers.{i}.norm"),
            ("think.0", f"ffn_layers.{i}.linear1"), ("think.2", f"ffn_layers.{i}.linear2"),
            ("think_norm", f"ffn_layers.{i}.norm"))),
        ("colours.norm.", "decoder.color_decoder.decoder_norm."),
        *((f"colours.embed.{2 * i}.", f"decoder.color_decoder.color_embed.layers.{i}.") for i in range(3)),
        (".parametrizations.weight.original", ".weight_orig"), (".parametrizations.weight.0._", ".weight_"),
    ]  # fmt: skip
    state = {}
    for name, value in model.state_dict().items():
        value = value.flatten(1) if ".mlp." in name and value.ndim == 4 else value
        for ours, theirs in names:
            name = name.replace(ours, theirs)
        state[name] = value.clone()
    state["encoder.arch.norm.weight"] = state["encoder.arch.norm.bias"] = torch.zeros(32)
    return state


@pytest.fixture(scope="module")
def small():
    model = small_ddcolor()
    return model, official(model)


def layouts(state, folder):
    """Every way in which DDColor is published, written to `folder`."""
    plain = {k: v.contiguous() for k, v in fold_spectral_norm(state).items()}
    hub = folder / "hub"
    hub.mkdir()
    (hub / "config.json").write_text(json.dumps({"encoder_name": "convnext-t", "num_queries": 6}))
    save_file({k: v.clone() for k, v in state.items()}, hub / "model.safetensors")
    torch.save({"params": state}, folder / "a.pth")
    torch.save(plain, folder / "b.pt")
    torch.save({k: v for k, v in state.items() if k not in ("mean", "std")}, folder / "pytorch_model.bin")
    return [hub, hub / "model.safetensors", *(folder / name for name in ("a.pth", "b.pt", "pytorch_model.bin"))]


@torch.no_grad()
def test_every_layout_gives_the_same_colours(small, tmp_path):
    model, state = small
    L = 100 * torch.rand(1, 1, 64, 96)
    expected = model.colorize(L)
    for path in layouts(state, tmp_path):
        found = colorize.load(path)
        assert not found.training
        assert torch.allclose(found.colorize(L), expected, atol=1e-4), path


def test_the_constants_of_the_file_are_honoured(small, tmp_path):
    _, state = small
    torch.save(state | {"mean": torch.full((1, 3, 1, 1), 0.25)}, tmp_path / "a.pth")
    assert colorize.load(tmp_path / "a.pth").encoder.mean.unique().tolist() == [0.25]


class Code:
    def __reduce__(self):
        return (print, ("this must never be run",))


def broken_files(state, folder):
    """Name of a bad file -> what the sentence about it must say."""
    torch.save({"params": state}, folder / "whole.pth")
    whole = (folder / "whole.pth").read_bytes()
    (folder / "truncated.pth").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.pth").write_bytes(b"")
    (folder / "truncated.safetensors").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{}")
    (folder / "text.pth").write_text("not a checkpoint")
    (folder / "code.pth").write_bytes(pickle.dumps({"params": Code()}))
    torch.save({"params": {}}, folder / "nothing.pth")
    torch.save([1, 2], folder / "list.pth")
    torch.save({"conv.weight": torch.zeros(1)}, folder / "other.pth")
    missing = {k: v for k, v in state.items() if k != "decoder.layers.1.bn.weight"}
    torch.save(missing, folder / "missing.pth")
    torch.save({k: v for k, v in state.items() if "query_feat" not in k}, folder / "headless.pth")
    torch.save(state | {"decoder.more.weight": torch.zeros(2)}, folder / "surplus.pth")
    torch.save(state | {"refine_net.0.0.bias": torch.zeros(3)}, folder / "shape.pth")
    torch.save(state | {"refine_net.0.0.bias": torch.full((2,), float("nan"))}, folder / "nan.pth")
    torch.save({"players": {}}, folder / "moved.pt")
    return {
        "truncated.pth": "not a whole, plain checkpoint", "empty.pth": "not a whole, plain checkpoint",
        "truncated.safetensors": "not a whole safetensors file", "text.pth": "not a whole, plain checkpoint",
        "code.pth": "not a whole, plain checkpoint", "nothing.pth": "holds no weights", "list.pth": "holds a list",
        "other.pth": "its keys are conv.weight, and known are a DDColor checkpoint",
        "missing.pth": "looks like a DDColor checkpoint, but it is incomplete: what would be pixels.steps.1.skip_norm",
        "headless.pth": "incomplete: decoder.color_decoder.query_feat.weight is missing",
        "surplus.pth": "no place for: decoder.more.weight", "shape.pth": "is [3] instead of [2]",
        "nan.pth": "refine_net.0.0.bias hold values that are not finite", "moved.pt": "leave it in its run folder",
        "absent.pth": "no file or folder", ".": "neither a run folder nor an export",
    }  # fmt: skip


def test_a_bad_file_gets_one_sentence(small, tmp_path, capsys):
    for name, words in broken_files(small[1], tmp_path).items():
        with pytest.raises(UserError) as caught:
            colorize.load(tmp_path / name)
        assert words in str(caught.value), str(caught.value)
        assert "\n" not in str(caught.value)
    assert "must never" not in capsys.readouterr().out


def test_the_hub_is_asked_for_what_is_not_here(small, tmp_path, monkeypatch):
    def absent(*_, **__):
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(loading, "snapshot_download", absent)
    with pytest.raises(UserError, match=r"'piddnad/ddcolor_paper_tiny' here, and it cannot be fetched"):
        colorize.load("piddnad/ddcolor_paper_tiny")
    (hub, *_) = layouts(small[1], tmp_path)
    asked = []
    monkeypatch.setattr(loading, "snapshot_download", lambda name, **_: asked.append(name) or str(hub))
    monkeypatch.setattr(loading, "hf_hub_download", lambda *name: asked.append(name) or str(tmp_path / "a.pth"))
    assert isinstance(colorize.load("piddnad/ddcolor_paper_tiny"), Transformer)
    assert isinstance(colorize.load("ivansetka/image-colorizer/gan.pth"), Transformer)
    assert asked == ["piddnad/ddcolor_paper_tiny", ("ivansetka/image-colorizer", "gan.pth")]
