"""What predicts a row: its cost, and several samples of a stochastic model."""

import pytest
import torch

from colorize.config import build_part
from colorize.evaluation.predictors import Meter, network_predictor
from colorize.metrics import Diversity, Picture
from colorize.models import Colorizer
from tests.helpers.configs import options, own_loss
from tests.helpers.evaluations import CPU


class Attentive(Colorizer):
    """A 3×3 convolution of one channel to two, and attention of every pixel to every other."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 3, padding=1)
        self.place = torch.nn.Parameter(torch.zeros(2, 1, 1))
        self.same = torch.nn.Identity()

    def predict_ab(self, L):
        ab = self.conv(L) + self.same(self.place)
        tokens = ab.flatten(2).mT[:, None]  # (B, 1, HW, 2)
        read = torch.nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
        return ab + read[:, 0].mT.view_as(ab)


def test_what_a_painting_costs():
    """Multiplications counted by hand, of one photograph in a batch; the same colours as without the meter."""
    model, L = Attentive().eval(), torch.rand(4, 1, 10, 12) * 100
    meter = Meter(model, CPU)
    assert meter.cost() == {"parameters": 2 * 9 + 2 + 2}
    first = meter.colorize(L)
    assert torch.equal(first, model.colorize(L))
    pixels = 10 * 12
    convolution, products = pixels * 2 * 9, 2 * 2 * pixels**2  # q·k, and its softmax times v: each of 2 channels
    assert meter.cost()["gmacs"] == pytest.approx((convolution + products) / 1e9, rel=1e-12)
    assert meter.cost()["size"] == [10, 12]
    assert "seconds" not in meter.cost()  # the first call warmed up, and was counted
    for part in (L, L, L[:1]):
        assert torch.equal(meter.colorize(part), model.colorize(part))
    cost = meter.cost()
    assert cost["batch_size"] == 4
    assert 0 < cost["seconds"] == meter.timed[4][0] / 8
    assert "CPU" in cost["device"]


@pytest.mark.parametrize("name", options("model"))
def test_every_network_paints_the_same_under_the_meter(name, small):
    """Twice, as the first call is counted and the second timed."""
    model = build_part(small(name, f"loss={own_loss(name)}").model, "model").eval()
    L = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0)) * 100
    meter, painted = Meter(model, CPU), []
    for painter in (model, meter, meter):
        painted.append(painter.colorize(L, [torch.Generator().manual_seed(place) for place in range(2)]))
    assert torch.equal(painted[0], painted[1])
    assert torch.equal(painted[0], painted[2])
    assert meter.cost()["gmacs"] > 0
    assert meter.timed[2][1] == 2


def test_a_network_that_draws_is_asked_several_times(scene):
    """The first answer is the one that counts, whatever else is asked; the others differ, and by how much is told."""

    class Drawing(Colorizer):
        stochastic = True

        def predict_ab(self, L, generator):
            noise = [torch.randn(2, 1, 1, generator=each) for each in generator]
            return 10 * torch.stack(noise).expand(-1, -1, *L.shape[2:])

    once, several = (
        network_predictor(Drawing(), "lab_l", None)(scene),
        network_predictor(Drawing(), "lab_l", None, samples=4)(scene),
    )
    assert torch.equal(once.painted.pixels, several.painted.pixels)
    assert once.samples is None
    assert several.samples.shape == (4, 3, 3, 32, 32)
    diversity = Diversity().named(several)[""]
    lab = Picture(several.samples[:, 0]).lab[:, 1:].mean(dim=(2, 3))  # of the first photograph, (4, 2)
    apart = torch.cdist(lab, lab)[torch.triu(torch.ones(4, 4), 1) > 0].mean()
    assert diversity[0] == pytest.approx(apart.item(), rel=0.1)
    assert diversity.min() > 1
