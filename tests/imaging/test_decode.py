"""From bytes to pixels: every kind of file becomes the 8-bit sRGB that a screen shows, and is cut antialiased."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torchvision.transforms.v2 import functional as reference

from colorize.data.sources import DEMO
from colorize.imaging import file_formats as jpeg
from colorize.imaging import raster as bounds
from colorize.imaging.decode import UNREADABLE, decode, open_rgb
from colorize.imaging.raster import DecodeError
from colorize.imaging.transforms import GEOMETRIES, centre_square, crop_resized, random_crop


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    image.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return decode(data)[0].permute(1, 2, 0).numpy()


def test_a_plain_jpeg_is_what_pillow_makes_of_it(monkeypatch):
    files = [path.read_bytes() for path in sorted(DEMO.glob("*.jpg"))[:30]]
    quick = [pixels(data) for data in files]
    assert all(np.array_equal(q, np.asarray(Image.open(io.BytesIO(d)))) for q, d in zip(quick, files, strict=True))
    monkeypatch.setattr(jpeg, "decode_jpeg", None)  # as where simplejpeg is not installed
    assert all(np.array_equal(q, pixels(d)) for q, d in zip(quick, files, strict=True))


@pytest.mark.parametrize(
    ("mode", "kind", "treated"),
    [
        ("1", "PNG", []), ("L", "PNG", []), ("P", "PNG", []), ("RGB", "WEBP", []), ("RGB", "BMP", []),
        ("L", "JPEG", []), ("RGBA", "PNG", []), ("LA", "PNG", []), ("CMYK", "JPEG", ["cmyk"]),
        ("CMYK", "TIFF", ["cmyk"]), ("I;16", "PNG", ["16-bit"]), ("I;16", "TIFF", ["16-bit"]),
    ],
)  # fmt: skip
def test_every_mode_becomes_rgb(mode, kind, treated):
    image = (
        Image.new("I;16", (40, 50), 200 * 257) if mode == "I;16" else Image.new("RGB", (40, 50), "red").convert(mode)
    )
    rgb, notes = decode(encoded(image, kind))
    assert (rgb.shape, rgb.dtype, notes) == ((3, 50, 40), torch.uint8, treated)
    expected = {"1": None, "L": (76, 76, 76), "LA": (76, 76, 76), "I;16": (200, 200, 200)}.get(mode, (255, 0, 0))
    if expected:
        assert np.abs(rgb[:, 20, 20].int() - torch.tensor(expected)).max() <= 4


def test_what_is_transparent_lies_on_white():
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((255, 0, 0, 128), (0, 0, 20, 40))
    rgb, treated = decode(encoded(image, "PNG"))
    assert (rgb[:, 0, 30].tolist(), treated) == ([255, 255, 255], ["alpha"])
    assert rgb[:, 0, 10].tolist() == pytest.approx([255, 127, 127], abs=1)


def test_sixteen_bits_are_scaled_not_cut():
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(4, 0)
    rgb, treated = decode(encoded(Image.fromarray(ramp), "PNG"))
    assert treated == ["16-bit"]
    assert np.abs(rgb[0, 0].numpy().astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.new("RGB", (40, 24), "black")
    image.paste("white", (0, 0, 20, 12))  # upper left, as stored
    rgb, treated = decode(encoded(image, "JPEG", exif=exif, quality=95))
    corner = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}[orientation]
    height, width = rgb.shape[1:]
    assert (height, width) == ((24, 40) if orientation < 5 else (40, 24))
    quarters = [[rgb[0, : height // 2, : width // 2], rgb[0, : height // 2, width // 2 :]],
                [rgb[0, height // 2 :, : width // 2], rgb[0, height // 2 :, width // 2 :]]]  # fmt: skip
    bright = [[quarter.float().mean() > 200 for quarter in row] for row in quarters]
    assert bright[corner[0]][corner[1]]
    assert sum(map(sum, bright)) == 1
    assert treated == (["rotated"] if orientation > 1 else [])


def swapped_profile() -> bytes:
    """An sRGB profile in which red and green have changed places: reading it makes the difference visible."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(data[128 + 4 + 12 * i : 132 + 4 + 12 * i]): 132 + 12 * i for i in range(data[131])}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(data)


def test_a_colour_profile_is_followed():
    red = Image.new("RGB", (32, 32), "red")
    rgb, treated = decode(encoded(red, "PNG", icc_profile=swapped_profile()))
    assert treated == ["profile"]
    assert rgb[:, 5, 5].tolist() == pytest.approx([0, 255, 0], abs=6)


def test_srgb_by_another_name_costs_nothing():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert decode(encoded(Image.new("RGB", (32, 32), "red"), "PNG", icc_profile=srgb))[1] == []


def test_the_first_frame_stands_for_an_animation():
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    rgb, treated = decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert (rgb[:, 5, 5].tolist(), treated) == ([255, 0, 0], ["animated"])


JPEG = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)), "JPEG")
BAD = {
    "empty": b"", "text": b"not a picture", "header": JPEG[:100], "cut short": JPEG[: len(JPEG) // 2],
    "cut png": encoded(Image.open(io.BytesIO(JPEG)), "PNG")[:2000],
    "float": encoded(Image.new("F", (8, 8), 1000), "TIFF"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_read_says_so(kind):
    for opener in (decode, open_rgb):
        with pytest.raises(UNREADABLE):
            opener(BAD[kind])


def test_a_decompression_bomb_is_refused(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_PIXELS", 1000)
    with pytest.raises(DecodeError, match="--max-pixels"):
        open_rgb(JPEG)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("size", [(1000, 700), (100, 700), (90, 60)])
def test_large_jpegs_are_decoded_smaller_and_look_alike(size, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    grain = Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    data = encoded(grain.resize(size, Image.Resampling.BICUBIC), "JPEG", exif=exif, quality=95)
    whole, small = decode(data)[0], decode(data, 80)[0]
    assert min(min(whole.shape[1:]), 80) <= min(small.shape[1:]) < max(2 * 80, min(whole.shape[1:]) + 1)
    shape = list(small.shape[1:])
    assert shape[1] / shape[0] == pytest.approx(whole.shape[2] / whole.shape[1], rel=0.03)
    shrunk = reference.resize(whole, shape, antialias=True)
    assert (shrunk.float() - small.float()).abs().mean() < 3


@pytest.mark.parametrize("size", [(400, 280), (401, 256), (257, 515), (640, 80)])
@pytest.mark.parametrize("shorter", [16, 32, 33, 64, 100])
def test_smaller_jpegs_are_what_pillow_makes_of_them(size, shorter):
    """To the bit, so that it does not matter for a run which of both decoded its photographs."""
    grain = Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    data = encoded(grain.resize(size, Image.Resampling.BICUBIC), "JPEG")
    with Image.open(io.BytesIO(data)) as image:
        scale = min(size) / shorter
        if scale >= 2:
            image.draft("RGB", (math.ceil(size[0] / scale), math.ceil(size[1] / scale)))
        expected = np.asarray(image)
    assert np.array_equal(decode(data, shorter)[0].permute(1, 2, 0).numpy(), expected)


def test_the_centre_square_is_the_centre():
    image = Image.new("RGB", (100, 60), "black")
    image.paste("white", (20, 0, 80, 60))
    assert np.asarray(centre_square(image, 32)).min() == 255


NOISE = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 150, 210), dtype=np.uint8))


def test_a_cut_is_what_torchvision_cuts():
    box = (13, 7, 120, 100)
    expected = reference.resized_crop(NOISE, 7, 13, 100, 120, [48, 48], antialias=True, interpolation=3)
    assert (crop_resized(NOISE, box, 48).int() - expected.int()).abs().max() <= 1


def test_a_cut_is_antialiased():
    """Stripes finer than the pixels they are cut to come out grey, not as other stripes."""
    stripes = (255 * (torch.arange(400) % 2)).to(torch.uint8).expand(3, 400, 400)
    assert crop_resized(stripes, (0, 0, 400, 400), 60).float().std() < 3


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_boxes_stay_inside_and_have_the_size_they_say(geometry):
    crop, shares = (0.3, 0.8), []
    for seed in range(300):
        random = np.random.default_rng(seed)
        left, top, width, height = GEOMETRIES[geometry](210, 150, random, crop=crop)
        assert 0 <= left <= left + width <= 210
        assert 0 <= top <= top + height <= 150
        if geometry == "square":
            assert width == height
        if geometry == "stretch":
            assert width / 210 == pytest.approx(height / 150, abs=0.01)
        if geometry == "area":
            assert 0.7 < width / height < 1.4
        shares.append(width * height / (210 * 150) if geometry == "area" else height / 150)
    assert min(shares) == pytest.approx(0.3, abs=0.02)
    assert max(shares) == pytest.approx(0.8, abs=0.02)


def test_random_crops_differ_and_come_again():
    crop = lambda seed: random_crop(  # noqa: E731
        NOISE, np.random.default_rng(seed), size=32, geometry="square", crop=(0.5, 1.0), flip=True
    )
    crops = [crop(seed) for seed in range(20)]
    assert len({c.numpy().tobytes() for c in crops}) == 20
    assert torch.equal(crops[3], crop(3))


def test_half_are_mirrored():
    ramp = torch.arange(64, dtype=torch.uint8).expand(3, 64, 64)
    crop = lambda seed, flip: random_crop(  # noqa: E731
        ramp, np.random.default_rng(seed), size=64, geometry="square", crop=(1, 1), flip=flip
    )
    mirrored = sum(int(crop(seed, True)[0, 0, 0]) == 63 for seed in range(200))
    assert 70 < mirrored < 130
    assert all(int(crop(seed, False)[0, 0, 0]) == 0 for seed in range(20))


def test_stretching_loses_the_proportions():
    image = torch.zeros(3, 60, 100, dtype=torch.uint8)
    image[:, :, 50:] = 255
    stretched = random_crop(image, np.random.default_rng(0), size=32, geometry="stretch", crop=(1, 1), flip=False)
    assert (stretched[..., 18:].min(), stretched[..., :14].max()) == (255, 0)  # all of it: half is white
