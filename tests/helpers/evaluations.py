"""A protocol, noise as photographs, and what evaluation makes of them."""

import numpy as np
import torch
from PIL import Image

from colorize.data.collection import Photo
from colorize.evaluation import Protocol
from colorize.evaluation.batches import read_eval_image

CPU = torch.device("cpu")


def protocol(**changes):
    return Protocol(**{"name": "toy", "source": "demo", "size": 32, "extractors": [], "reference": "none", **changes})


def noise(seed: int, height: int, width: int) -> Image.Image:
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def frame_of(image, tmp_path, **changes):
    image.save(tmp_path / "photo.png")
    return read_eval_image(Photo(str(tmp_path / "photo.png"), "photo.png"), protocol(**changes))
