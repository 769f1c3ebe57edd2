"""What can be loaded: a bad file gets one sentence, and the hub is asked for what is not here."""

import pickle

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError

import colorize
from colorize.models import Transformer
from colorize.models import load as loading
from colorize.utils.errors import UserError
from tests.helpers.ddcolor import layouts


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
        "headless.pth": "incomplete: what would be colours.query.weight is missing",
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
    with pytest.raises(UserError, match="'piddnad/ddcolor_paper_tiny' is not on this machine, and cannot be fetched"):
        colorize.load("piddnad/ddcolor_paper_tiny")
    (hub, *_) = layouts(small[1], tmp_path)
    asked = []
    monkeypatch.setattr(loading, "snapshot_download", lambda name, **_: asked.append(name) or str(hub))
    monkeypatch.setattr(loading, "hf_hub_download", lambda *name: asked.append(name) or str(tmp_path / "a.pth"))
    assert isinstance(colorize.load("piddnad/ddcolor_paper_tiny"), Transformer)
    assert isinstance(colorize.load("ivansetka/image-colorizer/gan.pth"), Transformer)
    assert asked == ["piddnad/ddcolor_paper_tiny", ("ivansetka/image-colorizer", "gan.pth")]
