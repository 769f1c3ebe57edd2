"""DDColor's network at a small size, and the containers in which its weights come."""

import json

import torch
from safetensors.torch import save_file

from colorize.models import Transformer
from colorize.models.weights import fold_spectral_norm


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
