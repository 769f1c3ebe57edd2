"""Pictures of 16 bits keep them, as grey of the same lightness, whatever file, profile or layout they come in."""

import io
import struct
import subprocess
from shutil import which

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from skimage.color import rgb2lab

from colorize.imaging.color_management import SRGB
from colorize.imaging.deep_color import from_srgb, problem_of_target
from colorize.imaging.image_io import LoadedPhotograph, open_photograph, save_photograph
from colorize.utils.errors import UserError
from tests.helpers.metadata import XMP, of, tags_block
from tests.helpers.tiffs import tif

DEEP = np.random.default_rng(0).integers(0, 2**16, (31, 23, 3), dtype=np.uint16)
GREY = DEEP[..., 0].copy()
ADOBE = imagecodecs.cms_profile("adobergb")
RAMP = b"curv" + struct.pack(">4xIH", 1, 256)  # of an ICC profile: light in proportion to the samples


def lightness(grey):
    """(H, W) uint16 or (H, W, 3) -> L* as scikit-image has it."""
    return rgb2lab((grey if grey.ndim == 3 else np.stack([grey] * 3, axis=-1)) / 65535)[..., 0]


def written(data, folder, name):
    (folder / name).write_bytes(data)
    return open_photograph(folder / name, depth=16)


FILES = {
    "tif": lambda: tif(DEEP, photometric="rgb"),
    "tiled.tif": lambda: tif(DEEP, photometric="rgb", tile=(16, 16), compression="zlib", byteorder=">"),
    "planes.tif": lambda: tif(np.moveaxis(DEEP, -1, 0), photometric="rgb", planarconfig="separate"),
    "png": lambda: imagecodecs.png_encode(DEEP),
    "alpha.png": lambda: imagecodecs.png_encode(np.dstack([DEEP, GREY])),
    "adobe.tif": lambda: tif(from_srgb(DEEP, ADOBE, 16), photometric="rgb", iccprofile=ADOBE),
}


@pytest.mark.parametrize("name", FILES)
def test_colours_become_grey_of_their_lightness(name, tmp_path):
    found = written(FILES[name](), tmp_path, name)
    assert found.image.mode == "I;16"
    assert abs(lightness(np.asarray(found.image)) - lightness(DEEP)).max() < 0.01
    assert (found.alpha is not None) == (name == "alpha.png")
    assert not found.notes


@pytest.mark.parametrize("name", ["black.tif", "white.tif", "grey.png", "alpha.png"])
def test_grey_stays_to_the_last_bit(name, tmp_path):
    data = {
        "black.tif": lambda: tif(GREY, photometric="minisblack"),
        "white.tif": lambda: tif(65535 - GREY, photometric="miniswhite"),
        "grey.png": lambda: imagecodecs.png_encode(GREY),
        "alpha.png": lambda: imagecodecs.png_encode(np.dstack([GREY, GREY])),
    }[name]()
    assert np.array_equal(np.asarray(written(data, tmp_path, name).image), GREY)


def test_a_profile_for_grey_is_applied_at_16_bits(tmp_path):
    """Linear light: the grey of a sample is its light, encoded."""
    profile = grey_profile()
    for name, data in [("a.tif", tif(GREY, photometric="minisblack", iccprofile=profile)), ("a.png", None)]:
        if data is None:
            Image.fromarray(GREY).save(file := io.BytesIO(), "PNG", icc_profile=profile)
            data = file.getvalue()
        light = GREY / 65535
        expected = 65535 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        found = np.asarray(written(data, tmp_path, name).image)
        bright = light > 0.02  # the curve has 256 points, straight between them
        assert abs(found - expected)[bright].max() < 40


def grey_profile():
    """Of a monochrome display (ICC.1:2022, 8.4.3): white, and a curve."""
    white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)
    text = b"desc" + struct.pack(">4xI", 5) + b"grey\0" + bytes(78)
    tags = [(b"wtpt", white), (b"kTRC", RAMP + b"\0\0"), (b"desc", text + bytes(-len(text) % 4))]
    place, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags:
        table += name + struct.pack(">II", place + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s12x4s", place + len(body), bytes(4), 0x02400000, b"mntr", b"GRAY", b"XYZ ", b"acsp")
    head = head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def test_eight_bits_stay_eight_bits(tmp_path):
    Image.fromarray((DEEP >> 8).astype(np.uint8)).save(tmp_path / "a.png")
    assert open_photograph(tmp_path / "a.png", depth=16).image.mode == "RGB"


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("clear", [False, True])
def test_sixteen_bits_are_written_with_everything_beside(kind, clear, tmp_path):
    alpha = Image.fromarray((GREY >> 8).astype(np.uint8)) if clear else None
    exif = tags_block([(0x010F, 2, 8, b"a maker\0")])
    like = LoadedPhotograph(Image.fromarray(GREY), alpha, of(exif, xmp=XMP, dpi=(600, 600)))
    path = tmp_path / f"out.{kind}"
    assert not save_photograph(DEEP, like, path, ADOBE)
    held = tifffile.imread(path) if kind == "tif" else imagecodecs.png_decode(path.read_bytes())
    assert held.dtype == np.uint16
    assert np.array_equal(held[..., :3], DEEP)
    assert not clear or np.array_equal(held[..., 3], (GREY >> 8) * 257)
    with Image.open(path) as image:
        assert image.info["icc_profile"] == ADOBE
        assert image.info["dpi"] == pytest.approx((600, 600), rel=1e-4)
        assert b'dc:title="Nave"' in image.info["xmp"]
        assert image.getexif()[0x010F] == "a maker"
    if which("exiftool"):
        told = subprocess.run(["exiftool", "-s3", "-BitsPerSample", "-BitDepth", "-XResolution", path],
                              capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
        assert "16" in told
        assert "600" in told or kind == "png"  # which has dots per metre


def test_which_profiles_can_be_written_in():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert not problem_of_target(ADOBE)
    assert not problem_of_target(SRGB)
    for profile, words in [(None, "no colour profile"), (lab, "for Lab"), (b"x" * 200, "not for RGB")]:
        assert words in problem_of_target(profile)


def test_a_tiff_that_would_be_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("colorize.imaging.deep_color.LARGEST_TIFF", 1000)
    with pytest.raises(UserError, match="give --format png"):
        save_photograph(DEEP, LoadedPhotograph(Image.fromarray(GREY)), tmp_path / "out.tif")
    assert not list(tmp_path.iterdir())


def test_pages_are_opened_one_by_one(tmp_path):
    small = GREY[:8, :8]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for pixels, words in ((GREY, "one"), (GREY[::-1], "two"), (GREY[:, ::-1], "three")):
            file.write(pixels, photometric="minisblack", description=words, metadata=None)
        file.write(small, photometric="minisblack", subfiletype=1, metadata=None)  # a thumbnail
    pages = [open_photograph(tmp_path / "a.tif", depth=16, page=number) for number in range(3)]
    assert np.array_equal(np.asarray(pages[1].image), GREY[::-1])
    assert [page.metadata.tags.main[270].data.rstrip(b"\0") for page in pages] == [b"one", b"two", b"three"]
    assert not any(page.notes for page in pages)
