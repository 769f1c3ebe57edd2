"""How fast photographs become training samples, on one core: against the thesis's steps, and against decoding alone.

    python benchmarks/data.py [--photographs FOLDER] [--rounds 5] [--quick]

Baseline is the data path of the thesis: Pillow's decoder, torchvision's `Resize((256, 256))`, a random crop of 224², a
flip, scikit-image's `rgb2lab`, tensors. Then: the same for pictures of 1024²; Lab as it is computed on the device, with
its error; what data/look=film takes; loose files against tar files, with worker processes; and an index of 14 million
photographs. The files are in the page cache unless a line says cold. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from interleaved import Timing, against, measure, print_processor, rounded, summary, verdict_of
from photo_list import ENTRIES, weigh
from PIL import Image
from rich.console import Console
from rich.table import Table as Lines
from skimage.color import rgb2lab
from torchvision import transforms

from colorize.data import Folder, Shards
from colorize.data.loader import FeistelPermutation, SampleIndex
from colorize.data.resolve import open_source
from colorize.data.shard_writer import PreparedPhoto, write_shard
from colorize.imaging.color import rgb_to_lab
from colorize.imaging.decode import decode
from colorize.imaging.film_look import Film
from colorize.imaging.transforms import random_crop

SIZE = 224
BARS = (5, 0.7)  #   times the thesis's rate, and of decoding alone
GPUS, EACH = 8, 300  #  of the estimate, and photographs a second that each of them trains on
crop = partial(random_crop, size=SIZE, geometry="square", crop=(0.6, 1.0), flip=True)


def thesis(data: bytes, number: int) -> torch.Tensor:
    steps = transforms.Compose(
        [transforms.Resize((256, 256)), transforms.RandomCrop(SIZE), transforms.RandomHorizontalFlip()]
    )
    picture = np.asarray(steps(Image.open(io.BytesIO(data)).convert("RGB")))
    return torch.from_numpy(rgb2lab(picture).astype("float32")).permute(2, 0, 1)


def ours(data: bytes, number: int) -> torch.Tensor:
    rgb, _ = decode(data, round(SIZE / 0.6))
    return crop(rgb, np.random.default_rng(number))


def decoder(data: bytes, number: int) -> torch.Tensor:
    return decode(data)[0]


def measure_all(
    jobs: dict[str, Callable[[bytes, int], object]], data: Sequence[bytes], rounds: int
) -> dict[str, Timing]:
    """Seconds that each job takes for all pictures; the jobs take turns."""

    def every(job: Callable[[bytes, int], object]) -> None:
        for number, one in enumerate(data):
            job(one, number)

    return measure({name: partial(every, job) for name, job in jobs.items()}, rounds)


def rates(timings: dict[str, Timing], count: int) -> dict[str, float]:
    """Pictures a second."""
    return {name: count / of.median for name, of in timings.items()}


def resized(data: bytes, width: int, height: int) -> bytes:
    """A JPEG of another size."""
    file = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").resize((width, height), Image.Resampling.BICUBIC).save(
        file, "JPEG", quality=90
    )
    return file.getvalue()


def lab(data: Sequence[bytes], rounds: int) -> tuple[float, float]:
    """Milliseconds a picture in a batch of 16, and the largest error against scikit-image."""
    batch = torch.stack([ours(one, 0) for one in data[:16]])
    taken, found = measure({"lab": lambda: rgb_to_lab(batch)}, rounds)["lab"], rgb_to_lab(batch)
    expected = np.stack([rgb2lab(picture.permute(1, 2, 0).numpy()) for picture in batch])
    return 1000 * taken.median / len(batch), float(np.abs(found.permute(0, 2, 3, 1).numpy() - expected).max())


def film(data: Sequence[bytes], rounds: int) -> float:
    """Milliseconds that `data/look=film` takes for a sample of 224²."""
    look, pictures = Film(), [ours(one, 0).permute(1, 2, 0).numpy() for one in data[:16]]

    def every() -> None:
        for number, picture in enumerate(pictures):
            look(picture, np.random.default_rng(number))

    return 1000 * measure({"film": every}, rounds)["film"].median / len(pictures)


def epoch(source, workers: int, count: int) -> float:
    """Pictures a second of a training loader over `count` samples, begun when its first batch is there."""
    order = FeistelPermutation(len(source.train), 0)(np.arange(len(source.train)))
    draws = (SampleIndex(int(order[i % len(order)]), i) for i in range(2**62))
    batches = source.batches(draws, [16], workers)
    for _ in range(2 + 2 * workers):
        next(batches)
    began = time.perf_counter()
    for _ in range(count // 16):
        next(batches)
    return (count // 16) * 16 / (time.perf_counter() - began)


def forget(paths: Sequence[Path]) -> None:
    """Ask Linux to drop these files from its page cache."""
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def loading(data: Sequence[bytes], folder: Path, count: int) -> dict[str, float]:
    """Loose and in tar files, with 0, 1 and 2 workers; and read once from a cold cache.

    Without workers decoded photographs are kept while there is room, so that later epochs only cut.
    """
    loose = folder / "loose"
    loose.mkdir()
    copies = max(1, 400 // len(data))
    names = [f"{copy:02d}-{number:04d}" for copy in range(copies) for number in range(len(data))]
    for name, one in zip(names, list(data) * copies, strict=True):
        (loose / f"{name}.jpg").write_bytes(one)
    packed = [PreparedPhoto(name, -1, ".jpg", one) for name, one in zip(names, list(data) * copies, strict=True)]
    for start in range(0, len(packed), 100):
        write_shard(folder / f"train-{start // 100:03d}.tar", packed[start : start + 100])
    sources = {"loose": Folder(str(loose), size=SIZE), "tar": Shards(f"{folder}/train-*.tar", size=SIZE)}
    found = {}
    for workers in sorted({0, 1, 2, min(8, os.cpu_count() or 1)}):  # 8: what a run on a GPU starts at most
        for name, source in sources.items():
            source.batches([], [16], 0)
            found[f"{name}, {workers} workers"] = epoch(source, workers, count)
    files = {"loose": sorted(loose.iterdir()), "tar": sorted(folder.glob("*.tar"))}
    for name, source in sources.items():
        forget(files[name])
        photos = [source.train[place] for place in range(len(source.train))]
        began = time.perf_counter()
        for photo in photos:
            photo.read()
        found[f"{name}, cold, read only"] = len(photos) / (time.perf_counter() - began)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", default="demo", help="any source (the demo photographs, at 481×321)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="no index, a tenth of the pictures")
    parser.add_argument("--tiny", action="store_true", help="a few pictures, to try the command itself")
    words = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    photos = open_source(words.photographs).train
    data = [photo.read() for photo in photos[: 4 if words.tiny else 20 if words.quick else 200]]
    if words.photographs == "demo":
        data = [resized(one, 481, 321) for one in data]
    print_processor()
    report(data, words)


def report(data: Sequence[bytes], words: argparse.Namespace) -> None:
    jobs = {"thesis": thesis, "colorize": ours, "decoding alone": decoder}
    large_data = [resized(one, 1024, 1024) for one in data[:24]]
    timings, large_timings = measure_all(jobs, data, words.rounds), measure_all(jobs, large_data, words.rounds)
    small, large = rates(timings, len(data)), rates(large_timings, len(large_data))
    facts = summary(timings)  # its processor has one thread
    (lab_ms, lab_error), look_ms = lab(data, 4 * words.rounds), film(data, words.rounds)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COLORIZE_CACHE"] = f"{folder}/cache"
        loaded = loading(data, Path(folder), 32 if words.tiny else 160 if words.quick else 1600)
        table = {} if words.quick else weigh()
    console = Console(width=100)
    for title, found in (("481×321 JPEG to a 224² sample, one core", small), ("1024² JPEG, likewise", large)):
        console.print(table_of(title, found, "thesis"))
    console.print(table_of("loader, 224² samples", loaded, "loose, 0 workers"))
    console.print(f"Lab: {lab_ms:.2f} ms a picture, largest error {lab_error:.1e}; the film look: {look_ms:.1f} ms")
    for workers, (seconds, megabytes) in table.items():
        console.print(
            f"{ENTRIES:,} photographs, {workers} workers: ready in {seconds:.2f} s, {megabytes:.0f} MB in all"
        )
    vs_thesis, vs_decode = (small["colorize"] / small[name] for name in ("thesis", "decoding alone"))
    refused = verdict_of(timings)
    print(f"the thesis's rate: {refused or f'{vs_thesis:.1f} times, {against(vs_thesis, BARS[0])}'}")
    print(f"decoding alone: {refused or f'{vs_decode:.2f} of it, {against(vs_decode, BARS[1])}'}")
    cores = GPUS * EACH / small["colorize"]
    console.print(f"{GPUS} GPUs that train on {EACH} photographs a second each need {cores:.1f} such cores")
    figures = {
        "vs_thesis": vs_thesis, "vs_decode": vs_decode,
        **facts,
        "small": small, "large": large, "loader": loaded, "lab_ms": lab_ms, "lab_error": lab_error, "look_ms": look_ms,
        "tar_vs_loose": loaded["tar, 0 workers"] / loaded["loose, 0 workers"],
        "index": {n: {"seconds": seconds, "megabytes": megabytes} for n, (seconds, megabytes) in table.items()},
    }  # fmt: skip
    print(json.dumps(rounded(figures)))


def table_of(title: str, found: dict[str, float], baseline: str) -> Lines:
    lines = Lines(title=title, title_justify="left")
    for head in ("", "pictures a second", f"of {baseline}"):
        lines.add_column(head, justify="right" if head else "left")
    for name, rate in found.items():
        lines.add_row(name, f"{rate:,.0f}", f"{rate / found[baseline]:.2f}")
    return lines


if __name__ == "__main__":
    main()
