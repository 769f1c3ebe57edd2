"""Sixty photographs, most with a planted fault: `plant` writes them, and says which findings each must have."""

import io
import shutil
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageEnhance, ImageOps
from PIL.PngImagePlugin import PngInfo

from colorize.data.sources import DEMO

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


class Photographs:
    """The demo photographs, each handed out once."""

    def __init__(self):
        self.paths = iter(sorted(DEMO.glob("*.jpg")))

    def path(self):
        return next(self.paths)

    def image(self):
        return Image.open(self.path()).convert("RGB")


def encoded(image, kind="JPEG", **options):
    image.save(file := io.BytesIO(), kind, **({"quality": 95} if kind == "JPEG" else {}) | options)
    return file.getvalue()


def plant(train, val):
    """(name -> findings of each of the 60 in `train`, name -> twin of those that have one)."""
    photographs = Photographs()
    faults = {**broken(photographs), **colourless(photographs), **unusual(photographs)}
    twins = {}
    for folder, twin, finding in ((train, "{}", "duplicate"), (val, "val:{}", "leak")):
        for how, copy in COPIES.items():
            original, name = photographs.path(), f"später/{finding} {how}.jpg"
            kept = f"original of {finding} {how}.jpg"
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(original, folder / kept)
            faults[name] = (copy(original), {finding})
            twins[name] = twin.format(kept)
    for name, (data, _) in faults.items():
        (train / name).parent.mkdir(parents=True, exist_ok=True)
        (train / name).write_bytes(data)
    expected = {name: findings for name, (_, findings) in faults.items() if findings}
    (train / "São Paulo").mkdir()
    for number in range(60 - sum(path.is_file() for path in train.rglob("*"))):
        shutil.copy(photographs.path(), train / "São Paulo" / f"clean {number}.jpg")
    return expected, twins


COPIES = {
    "byte for byte": lambda path: path.read_bytes(),
    "at quality 70": lambda path: encoded(Image.open(path), quality=70),
    "at 60 %": lambda path: encoded(scaled(Image.open(path), 0.6)),
    "brightened": lambda path: encoded(ImageEnhance.Brightness(Image.open(path)).enhance(1.1)),
}


def scaled(image, factor):
    return image.resize((round(factor * image.width), round(factor * image.height)), Image.Resampling.LANCZOS)


def broken(photographs):
    jpeg, png = (photographs.path().read_bytes() for _ in range(4)), encoded(photographs.image(), "PNG")
    cut, unended, zeroed, padded = jpeg  # of one that lacks its end marker alone, every pixel is there
    return {
        "broken/nothing.jpg": (b"", {"empty"}),
        "broken/nothing either.png": (b"", {"empty"}),
        "broken/a text.jpg": ("Grüße, no picture\n".encode(), {"unreadable"}),
        "broken/error page.jpg": (b"<html><body>404 Not Found</body></html>", {"unreadable"}),
        "broken/noise.png": (np.random.default_rng(0).bytes(5000), {"unreadable"}),
        "broken/half.jpg": (cut[: len(cut) // 2], {"truncated"}),
        "broken/no end marker.jpg": (unended.removesuffix(b"\xff\xd9"), {"mended"}),
        "broken/zeros for an end marker.jpg": (zeroed.removesuffix(b"\xff\xd9") + bytes(4096), {"mended"}),
        "broken/zeros from the middle.jpg": (padded[: len(padded) // 2].ljust(len(padded), b"\0"), {"truncated"}),
        "broken/half.png": (png[: len(png) // 2], {"truncated"}),
        "broken/bomb.png": (png_file(30_000, 30_000, 8, b"\0"), {"enormous"}),
        "broken/too many pixels.png": (encoded(Image.new("1", (18_000, 10_000)), "PNG"), {"enormous"}),
        "broken/stamp.jpg": (encoded(photographs.image().resize((48, 32))), {"tiny"}),
        "broken/strip.png": (encoded(photographs.image().crop((0, 0, 240, 63)), "PNG"), {"tiny"}),
    }


def colourless(photographs):
    grey, pale, tinted = photographs.image, ImageEnhance.Color, "toned/{}.jpg".format
    return {
        "grey/one channel.jpg": (encoded(grey().convert("L")), {"grey"}),
        "grey/three channels.png": (encoded(grey().convert("L").convert("RGB"), "PNG"), {"grey"}),
        "grey/three channels.jpg": (encoded(grey().convert("L").convert("RGB")), {"grey"}),
        "grey/a trace of colour.jpg": (encoded(pale(grey()).enhance(0.05)), {"near-grey"}),
        "grey/another trace.png": (encoded(pale(grey()).enhance(0.08), "PNG"), {"near-grey"}),
        "grey/yellowed.jpg": (encoded(toned(grey(), (4, 2, 0), (255, 252, 245))), {"near-grey"}),
        tinted("sepia"): (encoded(toned(grey(), (40, 26, 13), (250, 230, 190))), {"toned"}),
        tinted("cyanotype"): (encoded(toned(grey(), (5, 20, 60), (220, 240, 255)), quality=80), {"toned"}),
        tinted("faded"): (encoded(toned(grey(), (70, 50, 30), (235, 215, 170)), quality=60), {"toned"}),
    }


def unusual(photographs):
    image = photographs.image
    half = image()
    half.putalpha(Image.linear_gradient("L").resize(half.size))
    palette = image().quantize(64)
    opaque = image().convert("RGBA")
    frame = image()
    second = {"save_all": True, "append_images": [ImageOps.mirror(frame)]}
    turned = [Image.Exif(), Image.Exif()]
    for exif, orientation in zip(turned, (6, 3), strict=True):
        exif[0x0112] = orientation
    deep = np.array(image()).astype(">u2") * 257
    grey16 = Image.fromarray(np.array(image().convert("L")).astype(np.uint16) * 257)
    twelve = Image.fromarray(np.array(image().convert("L")).astype(np.uint16) * 16)  # as scanners store 12 bits
    pale = PngInfo()
    pale.add(b"gAMA", (100_000).to_bytes(4, "big"))
    return {
        "odd/twelve bits.png": (encoded(twelve, "PNG"), {"16-bit", "range", "grey"}),
        "odd/linear.png": (encoded(image(), "PNG", pnginfo=pale), {"gamma"}),
        "odd/animated.png": (encoded(frame, "PNG", **second), {"animated"}),
        "odd/animated.webp": (encoded(ImageOps.flip(image()).resize(frame.size), "WEBP", **second), {"animated"}),
        "odd/a phone's two pictures.jpg": (encoded(image(), "MPO", **second), set()),
        "odd/press.jpg": (encoded(image().convert("CMYK")), {"cmyk"}),
        "odd/press.tif": (encoded(image().convert("CMYK"), "TIFF"), {"cmyk"}),
        "odd/deep.png": (png_file(deep.shape[1], deep.shape[0], 16, rows_of(deep)), {"16-bit"}),
        "odd/deep grey.png": (encoded(grey16, "PNG"), {"16-bit", "grey"}),
        "odd/gradient.png": (encoded(half, "PNG"), {"alpha"}),
        "odd/hole.png": (encoded(palette, "PNG", transparency=palette.getpixel((9, 9))), {"alpha"}),
        "odd/opaque.png": (encoded(opaque, "PNG"), set()),
        "odd/on its side.jpg": (encoded(image(), exif=turned[0]), {"rotated"}),
        "odd/head down.jpg": (encoded(image(), exif=turned[1]), {"rotated"}),
        "odd/wide.jpg": (encoded(image(), icc_profile=wide_profile()), {"profile"}),
        "odd/wide.png": (encoded(image(), "PNG", icc_profile=wide_profile()), {"profile"}),
        "odd/says that it is sRGB.jpg": (encoded(image(), icc_profile=SRGB), set()),
    }


def toned(image, dark, bright):
    """The picture in greys from one colour to another."""
    share = np.asarray(image.convert("L"), dtype=float)[..., None] / 255
    return Image.fromarray(np.uint8(np.array(dark) * (1 - share) + np.array(bright) * share))


def rows_of(pixels):
    return b"".join(b"\0" + row.tobytes() for row in pixels)


def png_file(width, height, bits, rows):
    """An RGB PNG of any depth, which Pillow does not write; `rows` begin with their filter's byte."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def wide_profile():
    """The sRGB profile with Adobe RGB's green: its tag table says where the primaries lie."""
    profile = bytearray(SRGB)
    (count,) = struct.unpack_from(">I", profile, 128)
    for tag in range(count):
        name, place, _ = struct.unpack_from(">4sII", profile, 132 + 12 * tag)
        if name == b"gXYZ":
            profile[place + 8 : place + 20] = struct.pack(">3i", *(round(65536 * v) for v in (0.2053, 0.6256, 0.0609)))
    return bytes(profile)
