"""One odd file through one verb, and whether what came of it is what should."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial
from io import BytesIO, StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
import torch
from PIL import Image

from colorize.cli import main
from colorize.cli.app import call_verb
from colorize.data import Shards
from colorize.data.collection import Photo
from colorize.data.findings import BROKEN, examine
from colorize.data.resolve import open_source
from colorize.data.shard_writer import prepare_photo
from colorize.imaging.decode import decode, open_rgb
from colorize.models import CNN
from colorize.models.export import save
from colorize.utils.errors import UserError

WEBP_SIDE = 16383  # pixels that the format holds
NEAR, NEAR_LOSSY = 2.0, 4.0  # CIE L* between what came out and what should, of any of 8×8 areas


class Answer(NamedTuple):
    outcome: str  # as it should be, refused, wrongly refused, wrongly taken, wrong size, wrong tones, traceback, hang
    why: str = ""


def make_weights(folder: Path) -> Path:
    """An exported network that paints grey: the tones of what it paints are the photograph's."""
    model = CNN(width=0.1, global_size=32)
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)
    return save(model, folder, {"trained_size": 32})


def train(path: str, work: Path) -> np.ndarray:
    return decode(Photo(path, Path(path).name).read())[0].permute(1, 2, 0).numpy()


def evaluate(path: str, work: Path) -> np.ndarray:
    return np.asarray(open_rgb(Photo(path, Path(path).name).read()))


def inspect(path: str, work: Path) -> None:
    seen = examine(Photo(path, Path(path).name).read())
    if seen.findings & BROKEN:
        raise UserError(seen.why)


def prepare_whole(path: str, work: Path) -> np.ndarray:
    return _prepared(path, None)


def prepare_small(path: str, work: Path) -> np.ndarray:
    return _prepared(path, 32)


def _prepared(path: str, size: int | None) -> np.ndarray:
    made = prepare_photo(Photo(path, Path(path).name), size, 95)
    if made.why:
        raise UserError(made.why)
    return np.asarray(open_rgb(made.data))


def _paint(kind: str, path: str, work: Path) -> np.ndarray:
    """Read back by a decoder that is not the product's own."""
    target = work / "painted" / f"out.{kind}"
    shutil.rmtree(target.parent, ignore_errors=True)
    with redirect_stderr(StringIO()) as said:
        status = call_verb("paint", [path, "-w", str(work / "weights"), "-o", str(target)])
    if status:
        raise UserError(said.getvalue().strip())
    data = target.read_bytes()
    pixels = tifffile.imread(BytesIO(data)) if kind == "tif" else np.asarray(Image.open(BytesIO(data)))
    return pixels[..., :3]


VERBS: dict[str, Callable[[str, Path], np.ndarray | None]] = {
    "train": train, "evaluate": evaluate, "inspect": inspect,
    "prepare": prepare_whole, "prepare --size": prepare_small,
    **{f"paint {kind}": partial(_paint, kind) for kind in ("png", "tif", "jpg", "webp")},
}  # fmt: skip


def _readable(photographs: Iterable[Photo]) -> int:
    count = 0
    for photo in photographs:
        with suppress(UserError):
            count += bool(open_rgb(photo.read()))
    return count


def train_tar(path: str, work: Path) -> int:
    source = Shards(path, val_fraction=0.3, max_bad=0.9)
    return _readable([*source.train, *source.val])


def inspect_tar(path: str, work: Path) -> int:
    shutil.rmtree(work / "report", ignore_errors=True)
    call_verb("inspect", [path, "-o", str(work / "report"), "--workers", "0"])
    return _readable(open_source(path).train)


def prepare_tar(path: str, work: Path) -> int:
    shutil.rmtree(work / "tars", ignore_errors=True)
    call_verb("prepare", [path, str(work / "tars"), "--max-bad", "0.9", "--workers", "0"])
    return _readable(open_source(str(work / "tars")).train)


OF_TARS: dict[str, Callable[[str, Path], int]] = {
    "train": train_tar, "evaluate": lambda path, work: _readable(open_source(path).train), "inspect": inspect_tar,
    "prepare": prepare_tar,
}  # fmt: skip
ON_WHITE = ("train", "evaluate", "prepare", "prepare --size", "paint jpg")  # where transparent parts lie on white
LOSSY = ("prepare --size", "paint jpg", "paint webp")


def judged(verb: str, path: str, told: Mapping[str, Any], work: Path) -> Answer:
    """What the verb made of the file, against what `expected.json` says of it."""
    want = told["want"]
    if verb == "paint webp" and max(told.get("size") or [0]) > 16383:
        want = "either"  # no WebP is so long
    try:
        if path.endswith(".tar"):
            return counted(OF_TARS[verb](path, work), told)
        pixels = VERBS[verb](path, work)
    except (UserError, OSError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        if len(lines) != 1 or " at 0x" in lines[0]:
            return Answer("no sentence", str(error))
        fair = want != "paint" or (verb == "paint webp" and max(told["size"]) > WEBP_SIDE)
        return Answer("refused" if fair else "wrongly refused", lines[0])
    except Exception:
        return Answer("traceback", traceback.format_exc())
    if want in ("refuse", "skip"):
        return Answer("wrongly taken")
    return Answer("as it should be") if pixels is None else compared(verb, pixels, told)


def counted(found: int, told: Mapping[str, Any]) -> Answer:
    """Whether a tar file gave as many photographs as it holds."""
    if told["want"] == "paint" and found != told["photographs"]:
        return Answer("wrong count", f"{found} photographs, and {told['photographs']} were expected")
    return Answer("as it should be") if told["want"] != "refuse" else Answer("wrongly taken")


def compared(verb: str, pixels: np.ndarray, told: Mapping[str, Any]) -> Answer:
    """Size and tones. Of a transparent one that lies on white, no tones are known, nor of one that is cut smaller."""
    size = [pixels.shape[1], pixels.shape[0]]
    wanted = told.get("size")
    same = wanted is None or size == wanted or (told.get("turn") == "any" and size == wanted[::-1])
    if verb == "prepare --size":
        same = True
    if not same:
        return Answer("wrong size", f"{size}, and {wanted} was expected")
    if told.get("grid") is None or size != wanted or (told.get("transparent") and verb in ON_WHITE):
        return Answer("as it should be")
    if told.get("transparent") and verb == "paint webp":
        return Answer("as it should be")  # WebP keeps no colours where it is clear
    off = float(np.abs(areas(pixels) - np.array(told["grid"])).max())
    near = NEAR_LOSSY if verb in LOSSY else NEAR
    return Answer("as it should be" if off <= near else "wrong tones", f"off by {off:.1f} L*")


def areas(pixels: np.ndarray) -> np.ndarray:
    """(64,) mean CIE L* of 8×8 areas of sRGB (H, W, 3) or (H, W) uint8."""
    value = pixels / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    y = linear if linear.ndim == 2 else linear @ (0.212671, 0.715160, 0.072169)
    L = np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, y * (29 / 3) ** 3)
    parts = [np.linspace(0, side, 9).astype(int) for side in L.shape]
    cut = [[slice(a, max(a + 1, b)) for a, b in pairwise(part)] for part in parts]
    return np.array([L[rows, columns].mean() for rows in cut[0] for columns in cut[1]])


def commanded(words: Sequence[str], work: Path) -> Answer:
    """What a command of `colorize` came to."""
    os.chdir(work)
    sys.argv = ["colorize"]
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as said:
        try:
            status = main(list(words))
        except Exception:
            return Answer("traceback", traceback.format_exc())
    last = ([line for line in said.getvalue().splitlines() if line.strip()] or [""])[-1]
    if "Traceback" in said.getvalue() or status not in (0, 1, 2):
        return Answer("traceback", said.getvalue())
    return Answer("refused" if status else "as it should be", last)


class Worker:
    """A process that answers one question at a time; one that takes too long is killed, and another started."""

    def __init__(self, work: Path):
        self.work = work

    def __enter__(self) -> Worker:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.end, other = context.Pipe()
        self.process = context.Process(target=_answer, args=(other, self.work), daemon=True)
        self.process.start()
        self.end.recv()  # it has imported everything

    def ask(self, question: Callable[..., Answer], *words: Any, seconds: float) -> Answer:
        """`question` of a module, which is asked with `words` and the folder for what is written."""
        self.end.send((question, words))
        try:
            if self.end.poll(seconds):
                return self.end.recv()
            answer = Answer("hang", f"longer than {seconds} s")
        except EOFError:
            answer = Answer("crash", "the process ended")
        self.process.kill()
        self._start()
        return answer


def _answer(end: Any, work: Path) -> None:
    torch.set_num_threads(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what the verbs say is of no interest
    end.send("ready")
    while True:
        question, words = end.recv()
        end.send(question(*words, work))
