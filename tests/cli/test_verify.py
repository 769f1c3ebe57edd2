"""Files that an archive keeps: depth, profile, pages, metadata, report; and the proof of how they were painted."""

import csv
import json
import subprocess
from shutil import which
from urllib.parse import unquote

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from skimage.color import rgb2lab

import colorize
from colorize.imaging.deep_color import from_srgb
from colorize.models import CNN, Diffusion
from tests.helpers.metadata import XMP

ADOBE, SRGB = imagecodecs.cms_profile("adobergb"), imagecodecs.cms_profile("srgb")
PHOTOGRAPHS = ["a/nave.jpg", "b/nave.png", "c/d/nave.tif"]
RAMP = np.tile(np.linspace(9000, 52000, 60).astype(np.uint16), (40, 1)) + np.arange(40, dtype=np.uint16)[:, None]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    model = CNN(width=0.1, global_size=32).eval()
    torch.nn.init.normal_(model.colour[-2].bias, std=0.2)
    return colorize.save(model, tmp_path_factory.mktemp("weights"), {"trained_size": 32})


@pytest.fixture
def archive(tmp_path):
    """Three sub-folders: a JPEG, a PNG, and a TIFF of 16 bits and 600 dpi with XMP."""
    folder = tmp_path / "archive"
    for name in ("a", "b", "c/d"):
        (folder / name).mkdir(parents=True)
    grey = (RAMP >> 8).astype(np.uint8)
    Image.fromarray(grey).save(folder / "a" / "nave.jpg", dpi=(300, 300))
    Image.fromarray(grey[::-1]).save(folder / "b" / "nave.png")
    tifffile.imwrite(
        folder / "c" / "d" / "nave.tif", RAMP, photometric="minisblack", resolution=(600, 600), resolutionunit=2,
        metadata=None, extratags=[(700, 1, len(XMP), XMP, True)],
    )  # fmt: skip
    return folder


def lightness(samples):
    return rgb2lab(samples / np.iinfo(samples.dtype).max)[..., 0]


def test_an_archive_keeps_its_tree_depth_metadata_and_proof(archive, weights, inside, tmp_path):
    out = tmp_path / "out"
    words = ("-w", weights, "-o", out, "--depth", 16, "--sidecar", "--report", "--confidence")
    done = inside("paint", archive, *words)
    assert done.returncode == 0, done.stderr
    files = ["a/nave.png", "b/nave.png", "c/d/nave.png"]
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("nave.png")) == files
    for name in files:
        held = imagecodecs.png_decode((out / name).read_bytes())
        assert held.dtype == np.uint16
        assert np.ptp(held.astype(int), axis=2).max() > 1000
    with Image.open(out / files[2]) as image:
        assert image.info["dpi"] == pytest.approx((600, 600), rel=1e-4)
        assert b'dc:title="Nave"' in image.info["xmp"]
    deep = imagecodecs.png_decode((out / files[2]).read_bytes())
    assert abs(lightness(deep) - lightness(np.stack([RAMP] * 3, axis=-1))).max() < 0.02
    assert len(np.unique(deep[..., 1])) > 1000  # more than 8 bits have
    check_report(out, files)
    agreed = inside("verify", out, "--source", archive, "-w", weights)
    assert agreed.returncode == 0, agreed.stderr
    assert "3 of 3 agree" in agreed.stdout
    (out / files[1]).with_name("nave.png.colorize.json").unlink()  # then the file's own marks tell
    change_byte(out / files[1])
    changed = inside("verify", out, "--source", archive, "-w", weights)
    assert changed.returncode == 1
    assert "2 of 3 agree" in changed.stdout
    said = f"it differs: 1 of {RAMP.size} pixels differs, by up to 1 of 65535"
    assert changed.stderr == f"{out / files[1]}: {said}\n"


def change_byte(path):
    """One of the last pixels, with a checksum that fits."""
    samples = imagecodecs.png_decode(path.read_bytes())
    samples[-1, -1, 0] ^= 1
    data = path.read_bytes()
    again = imagecodecs.png_encode(samples, level=6)
    at, their = data.index(b"IDAT") - 4, again.index(b"IDAT") - 4
    path.write_bytes(data[:at] + again[their:])


def check_report(out, files):
    with (out / "painted.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["painted"] for row in rows] == files
    assert [row["photograph"] for row in rows] == [f"../archive/{name}" for name in PHOTOGRAPHS]
    assert {row["width"] for row in rows} == {"60"}
    assert all(0 <= float(row["out_of_gamut"]) <= 1 and float(row["seconds"]) > 0 for row in rows)
    page = (out / "painted.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 3
    assert all(f'<figcaption><a href="{name}">{name[:-4]}<' in page for name in files)
    assert page.count('data-head="predicted at"') == 3
    assert str(out.parent) not in page
    assert "http" not in page.replace("http://www.w3.org", "")


@pytest.mark.skipif(which("exiftool") is None, reason="exiftool is not installed")
def test_exiftool_reads_what_was_kept(archive, weights, inside, tmp_path):
    words = ("-w", weights, "-o", tmp_path / "out.tif", "--depth", 16)
    assert inside("paint", archive / "c" / "d" / "nave.tif", *words).returncode == 0
    command = ["exiftool", "-j", "-G1", tmp_path / "out.tif"]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
    assert told["IFD0:BitsPerSample"] == "16 16 16"
    assert (told["IFD0:XResolution"], told["IFD0:ResolutionUnit"]) == (600, "inches")
    assert told["XMP-dc:Title"] == "Nave"
    assert told["XMP-iptcExt:DigitalSourceType"].endswith("algorithmicallyEnhanced")


def test_colours_in_the_photographs_own_profile(weights, inside, tmp_path):
    """Written in Adobe RGB and read through it, they are those that were written in sRGB."""
    grey = np.stack([RAMP] * 3, axis=-1)
    photograph = from_srgb(grey, ADOBE, 16)
    tifffile.imwrite(tmp_path / "a.tif", photograph, photometric="rgb", iccprofile=ADOBE, metadata=None)
    for name, words in {"srgb": (), "source": ("--profile", "source")}.items():
        done = inside("paint", "a.tif", "-w", weights, "-o", f"{name}.tif", "--depth", 16, *words)
        assert done.returncode == 0, done.stderr
    held = tifffile.imread(tmp_path / "source.tif")
    with Image.open(tmp_path / "source.tif") as image:
        assert image.info["icc_profile"] == ADOBE
    back = imagecodecs.cms_transform(held, ADOBE, SRGB, colorspace="rgb", outcolorspace="rgb")
    assert abs(back.astype(int) - tifffile.imread(tmp_path / "srgb.tif")).max() < 1000  # of 65535
    Image.fromarray((RAMP >> 8).astype(np.uint8)).save(tmp_path / "plain.png")
    done = inside("paint", "plain.png", "-w", weights, "-o", "p.png", "--profile", "source")
    assert "it has no colour profile: it is written in sRGB" in done.stdout


def test_pages_become_files_of_their_own(weights, inside, tmp_path):
    (tmp_path / "in").mkdir()
    with tifffile.TiffWriter(tmp_path / "in" / "a.tif") as file:
        for pixels in (RAMP, RAMP[::-1], RAMP[:, ::-1]):
            file.write(pixels, photometric="minisblack", metadata=None)
    Image.fromarray((RAMP >> 8).astype(np.uint8)).save(tmp_path / "in" / "a-page2.jpg")
    done = inside("paint", "in", "-w", weights, "-o", "out", "--report")
    assert done.returncode == 0, done.stderr
    assert "painted 4 of 4" in done.stdout
    names = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert [name for name in names if "-page2-" not in name] == ["a-page1.png", "a-page2.png", "a-page3.png"]
    assert len(names) == 4  # a hash where a name was taken
    third = np.asarray(Image.open(tmp_path / "out" / "a-page3.png")).astype(float)
    assert third[:, 0].mean() > third[:, -1].mean()
    assert "4 of 4 agree" in inside("verify", "out", "--source", "in", "-w", weights).stdout
    refused = inside("paint", "in/a.tif", "-w", weights, "-o", "one.png")
    assert refused.returncode == 2
    assert "holds 3 photographs, 'one.png' one: give a folder" in refused.stderr


def test_each_sample_agrees_by_itself(inside, tmp_path):
    torch.manual_seed(0)
    weights = colorize.save(Diffusion(widths=(8, 16, 16), time=16, sampling_steps=2), tmp_path / "w")
    (tmp_path / "in").mkdir()
    Image.fromarray((RAMP >> 8).astype(np.uint8)).save(tmp_path / "in" / "a.png")
    done = inside("paint", "in", "-w", weights, "-o", "out", "--samples", 2, "--size", 16, "--seed", 5)
    assert done.returncode == 0, done.stderr
    (tmp_path / "in" / "a.png").rename(tmp_path / "in" / "renamed.png")  # the checksum finds it
    assert "2 of 2 agree" in inside("verify", "out", "--source", "in", "-w", weights).stdout


def test_what_cannot_be_verified_is_said(archive, weights, inside, tmp_path):
    source = archive / "b" / "nave.png"
    assert inside("paint", source, "-w", weights, "-o", "out.jpg").returncode == 0
    other = colorize.save(CNN(width=0.1, global_size=32), tmp_path / "other")
    Image.open(source).save(tmp_path / "plain.png")
    (tmp_path / "empty").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "empty" / "b.png")
    for words, message in [
        (("out.jpg", "--source", archive, "-w", other), "painted by another network"),
        (("out.jpg", "--source", "empty", "-w", weights), "its source, 'nave.png'"),
        (("plain.png", "--source", archive, "-w", weights), "does not say how it was painted"),
    ]:
        done = inside("verify", *words)
        assert done.returncode == 1
        assert message in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 1
    for words, message in [
        (("-o", "o.jpg", "--depth", 16), "JPEG holds 8 bits a sample"),
        (("-o", "o.png", "--depth", 12), "invalid choice: 12"),
        (("-o", "o", "--iiif", "example.org"), "--iiif is 'example.org'"),
        (("-o", "o", "--iiif", "https://example.org", "--format", "tif"), "viewers of IIIF do not show TIFF"),
        (("-o", "o.png", "--report"), "are written into a folder"),
    ]:
        refused = inside("paint", source, "-w", weights, *words)
        assert refused.returncode == 2
        assert message in refused.stderr


def test_a_record_that_names_no_setting_is_refused(archive, weights, inside, tmp_path):
    """It is data of a file: it neither chooses where is written nor which code runs."""
    assert inside("paint", archive / "b" / "nave.png", "-w", weights, "-o", "out.png", "--sidecar").returncode == 0
    sidecar = tmp_path / "out.png.colorize.json"
    record = json.loads(sidecar.read_text())
    for settings in ({"output": "elsewhere"}, {"trust": "mine"}, {"help": True}, {"gamut": "odd"}, {"nonsense": 1}):
        sidecar.write_text(json.dumps({**record, "settings": record["settings"] | settings}))
        done = inside("verify", "out.png", "--source", archive, "-w", weights)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert not (tmp_path / "elsewhere").exists()


def test_a_iiif_viewer_gets_both_pictures(archive, weights, inside, tmp_path):
    (archive / "c" / "d" / "nave.tif").rename(archive / "c" / "d" / "a nave #1.tif")
    words = ("-w", weights, "-o", "out", "--depth", 16, "--iiif", "https://example.org/archive/")
    assert inside("paint", archive, *words).returncode == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["@context"] == "http://iiif.io/api/presentation/3/context.json"
    assert [canvas["label"]["none"] for canvas in manifest["items"]] == [["nave.jpg"], ["nave.png"], ["a nave #1.tif"]]
    annotation = manifest["items"][2]["items"][0]["items"][0]
    assert annotation["target"] == manifest["items"][2]["id"]
    original, painted = annotation["body"]["items"]
    assert painted["id"] == "https://example.org/archive/c/d/a%20nave%20%231.png"
    for body in (original, painted):
        path = tmp_path / "out" / unquote(body["id"].removeprefix("https://example.org/archive/"))
        with Image.open(path) as image:
            assert (image.width, image.height) == (body["width"], body["height"])
            assert Image.MIME[image.format] == body["format"]
            assert abs(np.asarray(image.convert("L")).astype(float) - (RAMP >> 8)).mean() < 12
    assert "3 of 3 agree" in inside("verify", "out", "--source", archive, "-w", weights).stdout
    before = (tmp_path / "out" / "manifest.json").read_bytes()
    assert "all already exist" in inside("paint", archive, *words).stdout
    assert (tmp_path / "out" / "manifest.json").read_bytes() == before
