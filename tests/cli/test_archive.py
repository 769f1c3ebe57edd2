"""Old photographs as an archive has them: folders in, folders out, with nothing lost, and the proof of it."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import colorize
from colorize.models import CNN
from tests.helpers.configs import ROOT
from tests.helpers.metadata import XMP

PHOTOGRAPHS = ROOT.parent / "shared" / "photos" / "historical_bw"
DEEP = Path("chaplin/the_kid.tif")
KEPT = ("IFD0:Artist", "IFD0:ImageDescription", "IFD0:Copyright", "IFD0:Software", "XMP-dc:Title", "XMP-tiff:Make",
        "XMP-xmp:CreatorTool", "XMP-xmpMM:OriginalDocumentID", "XMP-xmpMM:DerivedFromDocumentID",
        "IPTC:Caption-Abstract", "IPTC:By-line")  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = CNN(width=0.1, global_size=32).eval()
    torch.nn.init.normal_(model.colour[-2].bias, std=0.2)
    return colorize.save(model, tmp_path_factory.mktemp("weights"), {"trained_size": 32})


@pytest.fixture
def folder(tmp_path):
    """15 photographs in three sub-folders; one is a TIFF of 16 bits and 600 dpi with XMP."""
    if not PHOTOGRAPHS.is_dir():
        pytest.skip(f"the photographs are not at {PHOTOGRAPHS}")
    files = sorted(PHOTOGRAPHS.glob("*.jpg"))
    assert len(files) == 15
    for file in files[:-1]:
        place = "chaplin" if "chaplin" in file.name else "people/tesla" if "tesla" in file.name else "places"
        (tmp_path / "in" / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "in" / place)
    with Image.open(files[-1]) as image:
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    grey += np.random.default_rng(0).integers(0, 256, grey.shape, dtype=np.uint16) // 2
    tifffile.imwrite(
        tmp_path / "in" / DEEP, grey, photometric="minisblack", resolution=(600, 600), resolutionunit=2, metadata=None,
        description="a boy", extratags=[(315, 2, 0, "a photographer", True), (700, 1, len(XMP), XMP, True)],
    )  # fmt: skip
    return tmp_path / "in"


def told_by_exiftool(folder):
    """Of every picture below a folder, by its place without the ending."""
    command = ["exiftool", "-j", "-G1", "-r", "-ext", "png", "-ext", "jpg", "-ext", "tif", str(folder)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {Path(each["SourceFile"]).relative_to(folder).with_suffix("").as_posix(): each for each in told}


def dpi(told):
    for group, unit in (("IFD0", "inches"), ("JFIF", "inches")):
        if told.get(f"{group}:ResolutionUnit") == unit:
            return told[f"{group}:XResolution"]
    if told.get("PNG-pHYs:PixelUnits") == "meters":
        return told["PNG-pHYs:PixelsPerUnitX"] * 0.0254
    return None


def test_a_folder_of_old_photographs_comes_out_as_it_went_in(folder, weights, inside, tmp_path):
    done = inside("paint", folder, "-w", weights, "-o", "out", "--depth", 16, "--sidecar", "--confidence")
    assert done.returncode == 0, done.stderr
    assert "painted 15 of 15" in done.stdout
    sources = {path.relative_to(folder).with_suffix(".png") for path in folder.rglob("*.*")}
    painted = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.png")}
    maps = {path.with_suffix(".confidence.png") for path in sources}
    assert painted == sources | maps
    assert all((tmp_path / "out" / f"{path}.colorize.json").is_file() for path in sources)
    check_proof(folder, tmp_path / "out", weights, inside)
    if shutil.which("exiftool") is None:
        pytest.skip("exiftool is not installed: what it reads of depth, resolution and metadata is not checked")
    check_kept(told_by_exiftool(folder), told_by_exiftool(tmp_path / "out"))


def check_proof(folder, out, weights, inside):
    """All agree; and of one changed byte, which file it is in."""
    verify = ("verify", out, "--source", folder, "-w", weights)
    agreed = inside(*verify)
    assert agreed.returncode == 0, agreed.stderr
    assert "15 of 15 agree" in agreed.stdout
    path = out / DEEP.with_suffix(".png")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    changed = inside(*verify)
    assert changed.returncode == 1
    assert "14 of 15 agree" in changed.stdout
    assert changed.stderr.startswith(f"{path}: it differs: ")
    assert len(changed.stderr.splitlines()) == 1
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def check_kept(before, after):
    assert dpi(after[DEEP.with_suffix("").as_posix()]) == pytest.approx(600, rel=1e-4)
    kept = 0
    for place, source in before.items():
        told = after[place]
        assert told["PNG:BitDepth"] == 16
        assert told["PNG:ColorType"] in ("RGB", "RGB with Alpha")
        size = [
            source.get("File:ImageWidth", source.get("IFD0:ImageWidth")),
            source.get("File:ImageHeight", source.get("IFD0:ImageHeight")),
        ]
        assert [told["PNG:ImageWidth"], told["PNG:ImageHeight"]] == size
        if dpi(source):
            assert dpi(told) == pytest.approx(dpi(source), rel=1e-3)
        assert told["XMP-iptcExt:DigitalSourceType"].endswith("algorithmicallyEnhanced")
        here = {key: source[key] for key in KEPT if key in source}
        assert {key: told.get(key) for key in here} == here
        kept += len(here)
    assert kept > 10
