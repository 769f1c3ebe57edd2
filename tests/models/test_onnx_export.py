"""Networks as ONNX files: the same answers as PyTorch's, for pictures of any number and size."""

import json
import os

import onnx
import pytest
import torch
from torch import nn

import colorize
from colorize.evaluation.result import read_result
from colorize.models import CNN, Colorizer, Diffusion, MultiColor, ResNetUNet, Transformer, UNet
from colorize.models.diffusion_process import SAMPLERS, sampler_table
from colorize.models.onnx_export import describe_graphs, export_graphs, write_metadata
from colorize.models.onnx_graphs import METADATA
from colorize.models.onnx_runtime import read_deployed
from colorize.utils.errors import UserError

DECODERS = {"encoder": "test_convnext", "pretrained": False, "widths": (16, 16, 16), "queries": 8, "dim": 16,
            "heads": 2, "feedforward": 32, "rounds": 1}  # fmt: skip
NETWORKS = {
    "cnn": lambda: CNN(width=0.1, global_size=32),
    "square": lambda: CNN(width=0.1, global_size=32, branches=1),
    "gan_unet": lambda: UNet(widths=(8, 8, 16)),
    "gan": lambda: ResNetUNet(encoder="test_resnet", pretrained=False, width=0.2),
    "transformer": lambda: Transformer(**DECODERS),
    "bins": lambda: Transformer(**DECODERS, bins=True),
    "multicolor": lambda: MultiColor(**DECODERS, complement=(8, 16, 8)),
    "diffusion": lambda: Diffusion(widths=(8, 16, 16), time=16, sampling_steps=3),
    "diffusion, half size": lambda: Diffusion(
        encoder="test_resnet", pretrained=False, widths=(8, 16, 16), time=16, sampling_steps=3, sampler="ddpm", shrink=2
    ),
}
QUICK = ("gan_unet",)


def write_network_to(folder, model):
    facts = describe_graphs(model, {})
    for name, proto in export_graphs(model).items():
        (folder / name).write_bytes(write_metadata(proto, facts))
    return folder / "model.onnx"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in NETWORKS]
)
def test_an_onnx_file_answers_what_pytorch_does(name, tmp_path):
    torch.manual_seed(0)
    model = NETWORKS[name]().eval()
    path = write_network_to(tmp_path, model)
    again = read_deployed(path)
    check_file(path, type(model).__name__)
    assert again.count_parameters() == sum(p.numel() for p in model.parameters())
    for shape in [(2, 1, 64, 96), (1, 1, 75, 101), (3, 1, 33, 20)]:
        L = 100 * torch.rand(shape)
        ours, theirs = (
            each.colorize(L, [torch.Generator().manual_seed(i) for i in range(len(L))]) for each in (model, again)
        )
        assert theirs.shape == ours.shape
        assert (ours - theirs).abs().max() <= 1e-3 * ours.abs().max(), shape


def check_file(path, network):
    """It is sound, says what it is, and nothing of this machine."""
    proto = onnx.load(path)
    onnx.checker.check_model(proto)
    facts = json.loads({each.key: each.value for each in proto.metadata_props}[METADATA])
    assert (facts["network"], facts["opset"]) == (network, proto.opset_import[0].version)
    sides = proto.graph.input[0].type.tensor_type.shape.dim
    assert [side.dim_param for side in sides] == ["batch", "", "height", "width"]
    assert os.fsencode(os.getcwd()) not in path.read_bytes()  # noqa: PTH109


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_table_of_a_sampler_draws_what_the_sampler_does(sampler, steps):
    model = Diffusion(widths=(8, 16), time=16, sampler=sampler, sampling_steps=steps)
    kept = [*(model.noise.kept[level] for level in model.sampling_steps), 1.0]

    def clean(x, i):
        return torch.tanh(x + i).double()

    noise = torch.Generator().manual_seed(0)
    first = torch.randn(1, 2, 4, 4, generator=noise, dtype=torch.float64)
    state = noise.get_state()
    wanted = SAMPLERS[sampler](clean, first, kept, lambda: torch.randn(first.shape, generator=noise).double())
    noise.set_state(state)
    x, before = first, 0
    for i, (a, b, c, d) in enumerate(sampler_table(sampler, kept)):
        now = clean(x, i)
        x = a * x + b * now + c * before + (d * torch.randn(first.shape, generator=noise).double() if d else 0)
        before = now
    assert torch.allclose(x, wanted, rtol=1e-9, atol=1e-12)


class Inverse(Colorizer):
    """A network of one's own that ONNX has no operator for."""

    answers = frozenset({"ab"})

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def predict_ab(self, L):
        return (self.weight * torch.linalg.svdvals(L / 100)[..., :1, None]).expand(-1, 2, *L.shape[2:])


class Branching(Inverse):
    """One whose code depends on what is in the picture."""

    def predict_ab(self, L):
        return (self.weight * L if L.mean() > 50 else L).expand(-1, 2, -1, -1)


class Fixed(Inverse):
    """One that reads how many pictures there are."""

    def predict_ab(self, L):
        return torch.cat([self.weight * each[None] for each in list(L)]).expand(-1, 2, -1, -1)


@pytest.mark.parametrize(
    ("network", "words"),
    [(Inverse, "ONNX cannot express"), (Fixed, "ONNX cannot express|sizes"), (Branching, "data-dependent expression")],
)
def test_a_network_that_onnx_cannot_express_is_refused_in_one_sentence(network, words, capfd):
    with pytest.raises(UserError, match=words) as refused:
        export_graphs(network().eval())
    assert "safetensors" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn", "gan_unet", "gan", "diffusion", "transformer", "multicolor"])
def test_its_scores_are_pytorchs(name, inside, tmp_path):
    torch.manual_seed(0)
    colorize.save(NETWORKS[name]().eval(), tmp_path / "source", {"trained_size": 48})
    exported = inside("export", "source", "-o", "onnx", "--format", "onnx")
    assert exported.returncode == 0, exported.stderr
    evaluated = inside("evaluate", "run=[source,onnx]", "protocol=demo")
    assert evaluated.returncode == 0, evaluated.stderr
    results = [tmp_path / "outputs" / of / "results" / "demo.json" for of in ("source", "onnx")]
    one, other = (read_result(path).rows["model"] for path in results)
    scores = {metric for metric in one if metric not in ("seconds", "memory")}
    assert {"psnr", "ssim", "ciede2000"} <= scores
    assert {metric: other[metric].value for metric in scores} == pytest.approx(
        {metric: one[metric].value for metric in scores}, rel=1e-3, abs=1e-3
    )
