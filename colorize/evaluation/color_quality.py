"""PSNR and CIEDE2000 of a network on the demo photographs: what a change of its numbers costs in colour."""

import torch

from colorize.data.sources import demo_photographs
from colorize.evaluation.batches import make_eval_batch, read_eval_image
from colorize.evaluation.predictors import network_predictor
from colorize.evaluation.protocol import Protocol
from colorize.metrics.full_reference import MOST, ciede2000, squared_error
from colorize.models.base import Colorizer


@torch.no_grad()
def measure_color_quality(model: Colorizer, size: int) -> dict[str, float]:
    """psnr in dB and ciede2000, means over the 24 validation photographs of the demo data, as `evaluate.py
    protocol=demo protocol.size=SIZE` has them."""
    protocol = Protocol(name="demo", source="demo", size=size)
    predict = network_predictor(model, "lab_l", None)
    values: dict[str, list[float]] = {"psnr": [], "ciede2000": []}
    for place, photo in enumerate(demo_photographs()[1]):
        batch = make_eval_batch([read_eval_image(photo, protocol)], [""], place, protocol, torch.device("cpu"))
        pair = predict(batch)
        painted, true = pair.both
        values["psnr"].append(min(MOST, -10 * squared_error(pair).log10().item()))
        values["ciede2000"].append(ciede2000(true.lab, painted.lab).mean().item())
    return {name: sum(each) / len(each) for name, each in values.items()}
