"""What every network must do, whichever conf/model comes to hold."""

import pytest
import torch

from colorize.batch import Batch
from colorize.models import CNN
from colorize.utils.errors import UserError
from tests.helpers.configs import options
from tests.helpers.networks import build

WHOLE = pytest.mark.parametrize(
    "whole", [pytest.param(False, id="small"), pytest.param(True, id="of conf", marks=pytest.mark.slow)]
)


def chances(count):
    """A source of chance for each picture."""
    return [torch.Generator().manual_seed(i) for i in range(count)]


@WHOLE
@pytest.mark.parametrize("name", options("model"))
def test_it_answers_what_it_promises(name, whole, config):
    model = build(config, name, whole, classes=5)
    rgb = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    pred = model(Batch.from_rgb(rgb))
    assert pred.answered() == model.answers <= type(model).answers
    for field in ("ab", "rgb"):
        if field in model.answers:
            assert getattr(pred, field).shape == (2, 2 if field == "ab" else 3, 64, 96)


@WHOLE
@pytest.mark.parametrize("size", [(96, 96), (33, 70), (1, 1), (100, 37)])
@pytest.mark.parametrize("name", options("model"))
def test_it_colours_any_size_in_cie_units(name, size, whole, config):
    model = build(config, name, whole).eval()
    L = 100 * torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(0))
    ab = model.colorize(L, chances(2))
    assert ab.shape == (2, 2, *size)
    assert ab.dtype == torch.float32
    assert ab.abs().max() <= 128
    assert torch.equal(ab, model.colorize(L, chances(2)))
    first, second = chances(2)
    one_by_one = torch.cat([model.colorize(L[:1], [first]), model.colorize(L[1:], [second])])
    assert torch.allclose(ab, one_by_one, atol=2e-3)
    assert torch.equal(*(model.colorize(L, torch.Generator().manual_seed(3)) for _ in range(2)))


@WHOLE
@pytest.mark.parametrize("name", options("model"))
def test_every_parameter_gets_a_gradient(name, whole, config):
    model = build(config, name, whole)
    pred = model(Batch.from_rgb(torch.rand(2, 3, 64, 64)))
    sum(getattr(pred, field).square().sum() for field in pred.answered()).backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize(
    ("L", "message"),
    [
        (torch.rand(2, 1, 64, 64), r"0…100; it runs from .*, as L/100 does"),
        (torch.rand(2, 1, 64, 64) * 255, "runs from .* to 25"),
        (torch.rand(2, 1, 64, 64) * 2 - 1.5, "runs from -1"),
        (torch.full((1, 1, 8, 8), float("nan")), "runs from nan"),
        (torch.full((1, 1, 8, 8), 7), "floating point"),
    ],
)
def test_a_lightness_in_other_units_is_named(L, message):
    with pytest.raises(UserError, match=message):
        CNN(width=0.1, global_size=32).eval().colorize(L)


def test_a_black_photograph_is_no_mistake():
    grey = torch.randint(0, 4, (1, 1, 32, 32), dtype=torch.uint8).expand(1, 3, 32, 32)
    ab = CNN(width=0.1, global_size=32).eval().colorize(Batch.from_rgb(grey).L)
    assert ab.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 64, 64), (2, 3, 64, 64)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match="L must be"):
        CNN(width=0.1, global_size=32).colorize(torch.zeros(shape))


@pytest.mark.parametrize("name", options("model"))
@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_lightness_of_every_floating_point_type_is_coloured(name, kind, config):
    """As its float32, which holds what the type holds; the answer is float32."""
    model = build(config, name).eval()
    L = (100 * torch.rand(1, 1, 40, 48)).to(kind)
    ab = model.colorize(L, chances(1))
    assert ab.dtype == torch.float32
    assert torch.equal(ab, model.colorize(L.float(), chances(1)))


def test_a_nearly_black_photograph_is_coloured_by_those_who_know_its_unit(config):
    model = build(config, "cnn").eval()
    L = torch.rand(1, 1, 40, 48)
    with pytest.raises(UserError, match="as L/100 does"):
        model.colorize(L)
    assert model.colorize(L, check=False).isfinite().all()
