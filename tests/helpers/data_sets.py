"""Small data sets in every layout that the sources read."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

WNIDS = ("n01440764", "n01443537", "n01484850")


def jpeg(seed: int, size: tuple[int, int] = (60, 48)) -> bytes:
    """Smooth noise, so that JPEG keeps it; another picture for every seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(file := io.BytesIO(), "JPEG", quality=95)
    return file.getvalue()


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def tarred(files: dict[str, bytes]) -> bytes:
    with tarfile.open(fileobj=(file := io.BytesIO()), mode="w") as tar:
        for name, data in files.items():
            add(tar, name, data)
    return file.getvalue()


def write_shards(folder: Path, shards: int = 4, each: int = 6, part: str = "train", kind: str = "cls") -> Path:
    """`shards` tar files of `each` photographs, of class number % 3."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        files = {}
        for number in range(shard * each, (shard + 1) * each):
            label = number % 3
            files[f"{part}{number:04d}.jpg"] = jpeg(number + (1000 if part == "val" else 0))
            files[f"{part}{number:04d}.{kind}"] = (
                str(label).encode() if kind == "cls" else json.dumps({"label": label}).encode()
            )
        (folder / f"{part}-{shard:03d}.tar").write_bytes(tarred(files))
    return folder


def imagenet_files() -> tuple[dict[str, bytes], dict[str, tuple[str, bytes]]]:
    """Training WNID/NAME -> picture, and validation NAME -> (WNID, picture), named as ILSVRC names them."""
    train = {f"{w}/{w}_{i}.JPEG": jpeg(10 * c + i) for c, w in enumerate(WNIDS) for i in range(5)}
    val = {f"ILSVRC2012_val_{i + 1:08d}.JPEG": (WNIDS[(2 * i) % 3], jpeg(500 + i)) for i in range(6)}
    return train, val


def write_imagenet(root: Path, layout: str) -> Path:
    """`folders`: train/WNID and val/WNID. `archives`: ILSVRC's own tar files and development kit, val in no order of
    classes. `kaggle`: ILSVRC/Data/CLS-LOC, with val in one folder and its solution beside."""
    train, val = imagenet_files()
    inner = root / "ILSVRC/Data/CLS-LOC" if layout == "kaggle" else root
    if layout == "archives":
        root.mkdir(parents=True)
        inside = {f"{w}.tar": tarred({n.split("/")[1]: d for n, d in train.items() if n.startswith(w)}) for w in WNIDS}
        (root / "ILSVRC2012_img_train.tar").write_bytes(tarred(inside))
        (root / "ILSVRC2012_img_val.tar").write_bytes(tarred({name: data for name, (_, data) in val.items()}))
        write_devkit(root / "ILSVRC2012_devkit_t12.tar.gz", [wnid for wnid, _ in val.values()])
        return root
    for name, data in train.items():
        write(inner / "train" / name, data)
    for name, (wnid, data) in val.items():
        write(inner / "val" / (name if layout == "kaggle" else f"{wnid}/{name}"), data)
    if layout == "kaggle":
        rows = [f"{Path(name).stem},{wnid} 1 2 3 4 " for name, (wnid, _) in val.items()]
        (root / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *rows, ""]))
    return root


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_devkit(path: Path, truth: list[str]) -> None:
    """Its numbers go backwards through the WordNet ids, and an inner node stands among them, as in the real one."""
    numbers = {wnid: 3 - i for i, wnid in enumerate(WNIDS)}
    rows = [(number, wnid, 0) for wnid, number in numbers.items()] + [(4, "n00001740", 3)]
    synsets = np.array(rows, dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O"), ("num_children", "O")])
    savemat(meta := io.BytesIO(), {"synsets": synsets[:, None]})
    lines = "".join(f"{numbers[wnid]}\n" for wnid in truth)
    with tarfile.open(path, "w:gz") as tar:
        add(tar, "ILSVRC2012_devkit_t12/data/meta.mat", meta.getvalue())
        add(tar, "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", lines.encode())


datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
