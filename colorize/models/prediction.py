"""The prediction of a photograph's colours: its input, in bounded memory, and its size, which can be chosen.

H W photograph, h w prediction.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from colorize.imaging.color import rgb_to_lightness
from colorize.imaging.image_io import LoadedPhotograph
from colorize.imaging.transforms import resize
from colorize.models.base import Colorizer
from colorize.utils.devices import empty_cache, is_out_of_memory

SCALES = (1, 3 / 4, 1 / 2)  # of the size that a network was trained at
SMALLEST = 32  # pixels of the shorter side: where memory does not suffice for these, it does not for the photograph
STRIP = 2**18  # pixels of the photograph that a thread has in work at a time: some 30 MB
LONGEST = 4  # times the size: how long the longer side of a panorama is at most, for the network


@torch.no_grad()
def choose_size(model: Colorizer, L: Tensor, trained: int | None = None, *, seed: int = 0) -> int:
    """The size, in pixels of the shorter side, at which to predict the colours of a photograph.

    The rule: colours are predicted at 1, 3/4 and 1/2 times the size that the network was trained at (`SCALES`), and the
    size is taken whose colours agree most with those at the other two, by the mean distance in the ab plane: where a
    network errs at one of the sizes, the other two seldom err alike. It is mostly 3/4, at which a network sees more of
    an object at once; larger sizes than it was trained at were worse (docs/guided_colour.md). The costs are three
    passes, 1.8 times the work of the first.
    Of a network that takes squares of one size alone, that size is taken, and it is not asked.

    L        (1, 1, H, W) CIE L* of the photograph, 0…100, at its own size, on the network's device
    trained  as `models.load.trained_size` reads it from a run or an export; by default the network's usual size
    seed     of a network that draws
    """
    sizes = sizes_to_compare(model, trained or model.fixed_size or model.usual_size)
    inputs = (resize(L, size_of_input(L.shape[2], L.shape[3], size)) for size in sizes)
    answers = [model.colorize(each, [torch.Generator().manual_seed(seed)]) for each in inputs]
    return sizes[most_agreed(answers)]


def sizes_to_compare(model: Colorizer, trained: int) -> list[int]:
    """Pixels of the shorter side; one where there is no choice."""
    return [trained] if model.fixed_size else [round(scale * trained) for scale in SCALES]


def most_agreed(answers: Sequence[Tensor]) -> int:
    """The place of the ab (1, 2, h, w) that is nearest to all others, by the mean distance in the ab plane at the size
    of the first; the first of equals."""
    same = torch.cat([resize(answer, answers[0].shape[2:]) for answer in answers]).flatten(2)  # (answers, 2, h·w)
    apart = (same[:, None] - same[None]).norm(dim=2).mean(dim=2)
    return int(apart.sum(dim=1).argmin())


def size_of_input(height: int, width: int, size: int) -> tuple[int, int]:
    """Height and width of a photograph with `size` pixels on the shorter side, less for a panorama."""
    scale = min(size / min(height, width), LONGEST * size / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def predict_at_best_size(
    model: Colorizer, photograph: LoadedPhotograph, sizes: list[int], seed: int
) -> tuple[Tensor, Tensor, int]:
    """As `predict_within_memory`, at the size whose colours agree most with those at the others (`choose_size`)."""
    found = [predict_within_memory(model, photograph, size, seed) for size in sizes]
    return found[most_agreed([ab for _, ab, _ in found])]


def predict_within_memory(
    model: Colorizer, photograph: LoadedPhotograph, size: int, seed: int
) -> tuple[Tensor, Tensor, int]:
    """The lightness L (1, 1, h, w) of a photograph, the colours ab (1, 2, h, w), and the size at which memory sufficed:
    `size`, or a half, a quarter … of it."""
    device = next(model.parameters(), torch.empty(0)).device
    while True:
        try:
            L = network_input(photograph, size).to(device)
            return L, model.colorize(L, [torch.Generator().manual_seed(seed)], check=False), size
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or size < 2 * SMALLEST:
                raise
        size //= 2
        empty_cache(device)


def network_input(photograph: LoadedPhotograph, size: int) -> Tensor:
    """Lightness with `size` pixels on the shorter side (1, 1, h, w), computed at full size, a strip at a time.

    Each strip is brought to its width at once: memory does not grow with the photograph's.
    """
    width, height = photograph.image.size
    small = size_of_input(height, width, size)
    narrow = torch.empty(1, 1, height, small[1])

    def fill(first: int, rows: int) -> None:
        narrow[:, :, first : first + rows] = resize(lightness_of(photograph.rows(first, rows)), (rows, small[1]))

    visit_strips(fill, height, width)
    return resize(narrow, small).clamp(0, 100)


def lightness_of(rgb: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 or uint16 -> L (1, 1, H, W)"""
    values = np.array(rgb) if rgb.dtype == np.uint8 else (rgb / np.float32(65535)).astype(np.float32)
    return rgb_to_lightness(torch.from_numpy(values).permute(2, 0, 1)[None])


def visit_strips(function: Callable[[int, int], None], height: int, width: int) -> None:
    """Call `function(first row, rows)` for each strip of a photograph.

    Each of torch's threads takes strips of its own: where the threads share every operation, they wait for each other
    hundreds of times a strip, and for long where another program has one of their cores.
    """
    rows, threads = max(1, STRIP // width), torch.get_num_threads()
    firsts = range(0, height, rows)
    counts = [min(rows, height - first) for first in firsts]
    if min(threads, len(counts)) == 1:
        for strip in zip(firsts, counts, strict=True):
            function(*strip)
        return
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for _ in pool.map(function, firsts, counts):
                pass
    finally:
        torch.set_num_threads(threads)  # of threads that begin later; this one has kept its own
