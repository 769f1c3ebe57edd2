"""Black-and-white photographs, whose colours nobody knows: how far what was painted lies from colour photographs.

Compared are centre squares of 144 pixels, the shorter side of the colour photographs, on both sides alike.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from colorize.cli.data import evenly_spaced
from colorize.imaging.image_io import labelled_grid
from colorize.metrics.extractors import create_extractor

Painter = tuple[str, int | str]  # look and seed
SIZE, AT_ONCE, ALL = 144, 32, 10**9
SHOWN, TILE = 12, 224  # photographs of the contact sheet, pixels of a side


def read_squares(folder: Path, count: int = ALL, size: int = SIZE) -> dict[str, np.ndarray]:
    """Name without its ending -> (size, size, 3) uint8, of the photographs in a folder, or of some, evenly chosen."""
    return {Path(name).stem: square for name, square in sorted(evenly_spaced(str(folder), count, size))}


def as_grey(square: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(square).convert("L").convert("RGB"))


def kernel_scores(
    painted: Mapping[Painter, Sequence[np.ndarray]], reference: Sequence[np.ndarray], name: str
) -> dict[Painter, np.ndarray]:
    """What was painted -> (n,) values of its squares, whose mean is the kernel distance to the reference, in the
    features of the extractor of this name."""
    extractor = create_extractor(name)

    def features(squares: Sequence[np.ndarray]) -> np.ndarray:
        rgb = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)
        return torch.cat([extractor(some) for some in rgb.split(AT_ONCE)]).double().numpy()

    known = features(reference)
    return {each: kernel_values(features(squares), known) for each, squares in painted.items()}


def kernel_values(painted: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """(n,) from features (n, d) and (m, d): their mean is the unbiased kernel distance (Bińkowski et al. 2018), and
    their scatter that of pictures, by each one's influence on it. The reference is taken as given."""

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def others(x: np.ndarray) -> np.ndarray:
        """(n,) means of kernels with every other picture."""
        every = kernel(x, x)
        return (every.sum(axis=1) - every.diagonal()) / (len(x) - 1)

    within = others(painted)
    return 2 * within - within.mean() - 2 * kernel(painted, reference).mean(axis=1) + others(reference).mean()


def write_sheet(path: Path, rows: Mapping[str, Path]) -> None:
    """A contact sheet: for each caption the same dozen photographs, from the folder that has them."""
    found = {caption: read_squares(folder, SHOWN, TILE) for caption, folder in rows.items()}
    names = list(next(iter(found.values())))
    pictures = {caption: [Image.fromarray(squares[name]) for name in names] for caption, squares in found.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    labelled_grid(pictures, names, TILE).save(path, quality=92)
