"""Colour photographs with the network beside this file, as `colorize paint` does:

    pip install onnxruntime numpy Pillow
    python paint.py PHOTOGRAPH … -o FOLDER

H W photograph, h w network's picture; lightness and ab are in CIE units.
"""

import io
import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from hashlib import blake2b, sha256
from pathlib import Path

try:
    import numpy as np
    import onnxruntime
    from PIL import Image, ImageChops, ImageCms, PngImagePlugin, UnidentifiedImageError
except ImportError as absent:
    sys.exit(f"paint.py needs onnxruntime, numpy and Pillow ({absent}): pip install onnxruntime numpy Pillow")

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM", "TGA", "JPEG2000"]  # that are read
TURNS = dict(enumerate(map(Image.Transpose, (0, 3, 1, 5, 4, 6, 2)), 2))  # EXIF's orientation -> how it is undone
ENDINGS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
STRIP = 2**20  # pixels of the photograph that are in work at a time
LONGEST = 4  # times the size: how long the longer side of a panorama is at most, for the network
RADIUS, SMOOTHNESS = 4, 4.0  # of the guided filter: small pixels, and lightness that is no edge yet
HALVINGS = 10  # of the interval in which the largest chroma lies
Image.MAX_IMAGE_PIXELS = 250_000_000  # Pillow refuses twice as many
HARMLESS, PIXELS_A_BYTE = 2**22, 2000  # pixels, beyond which more for each byte of the file are a trap
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

# sRGB (IEC 61966-2-1) and CIE L*a*b* of D65, 2°
XYZ_OF_RGB = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
RGB_OF_XYZ = (np.linalg.inv(XYZ_OF_RGB) * [0.95047, 1.0, 1.08883]).astype(np.float32)
LEVELS = np.arange(256) / 255
LIGHT = np.where(LEVELS <= 0.04045, LEVELS / 12.92, ((LEVELS + 0.055) / 1.055) ** 2.4)  # of each 8-bit level
LIGHT_OF = [(weight * LIGHT).astype(np.float32) for weight in XYZ_OF_RGB[1]]
DARKEST, BRIGHTEST = -0.5 / 255 / 12.92, ((1 + 0.5 / 255 + 0.055) / 1.055) ** 2.4  # within half an 8-bit level
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"/>'
    "</rdf:RDF></x:xmpmeta>"
)


class OnnxNetwork:
    """The files in a folder. Small lightness (h, w) -> ab (2, h, w)"""

    def __init__(self, folder: Path):
        for name, digest in json.loads((folder / "config.json").read_bytes())["files"].items():
            if sha256((folder / name).read_bytes()).hexdigest() != digest:
                raise ValueError(f"{name} has been changed")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        paths = [str(folder / name) for name in ("model.onnx", "step.onnx") if (folder / name).is_file()]
        self.files = [onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in paths]
        facts = json.loads(self.files[0].get_modelmeta().custom_metadata_map["colorize"])
        self.size, self.sampler = facts["usual_size"], facts.get("sampler")

    def __call__(self, L: np.ndarray, seed: int) -> np.ndarray:
        height, width = L.shape
        ab, *grey = self.files[0].run(None, {"L": L[None, None]})
        if self.sampler is not None:
            small = self.draw([ab, *grey], seed)
            rows, columns = (np.arange(side * self.sampler["shrink"]) for side in small.shape[1:])
            ab = self.sampler["ab_scale"] * enlarge(enlarge(small, rows, 1, len(rows)), columns, 2, len(columns))[None]
        return ab[0, :, :height, :width].clip(-128, 128)

    def draw(self, seen: list[np.ndarray], seed: int) -> np.ndarray:
        """The sampler of a diffusion model: x_0 (2, h, w) in its own units."""
        names = [each.name for each in self.files[1].get_inputs()][2:]
        given, random = dict(zip(names, seen, strict=True)), np.random.RandomState(seed & 0xFFFFFFFF)
        shape = (1, 2, *seen[0].shape[2:])
        x, before = normal(random, shape), np.float32(0)
        for level, row in zip(self.sampler["levels"], self.sampler["table"], strict=True):
            a, b, c, d = map(np.float32, row)
            (clean,) = self.files[1].run(None, {"x": x, "t": np.array([level]), **given})
            x = a * x + b * clean + c * before + (d * normal(random, shape) if d else np.float32(0))
            before = clean
        return x[0]


def normal(random: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """PyTorch's `randn` of 16 values or more: Box and Muller's transform, in blocks of 8 pairs."""
    count = int(np.prod(shape))

    def uniform(of: int) -> np.ndarray:
        return (random.randint(0, 2**32, of, np.uint32) & 0xFFFFFF).astype(np.float32) / np.float32(2**24)

    def block(u: np.ndarray) -> np.ndarray:
        one, two = u.reshape(-1, 2, 8).swapaxes(0, 1)
        radius, angle = np.sqrt(-2 * np.log(1 - one)), np.float32(2 * np.pi) * two
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)

    values = uniform(count)
    values[: count // 16 * 16] = block(values[: count // 16 * 16])
    if count % 16:
        values[-16:] = block(uniform(16))
    return values.reshape(shape)


def lightness(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 sRGB -> L* (H, W)"""
    y = sum(table[pixels[..., channel]] for channel, table in enumerate(LIGHT_OF))
    return np.where(y > (6 / 29) ** 3, 116 * np.cbrt(y) - 16, np.float32(116 * (29 / 6) ** 2 / 3) * y)


def strips_of(image: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    """The first row and the pixels (rows, W, 3) of each strip."""
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        yield top, np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))


def shrink_lightness(image: Image.Image, size: int) -> np.ndarray:
    """L (h, w) of an RGB picture with `size` pixels on the shorter side, antialiased, less for a panorama."""
    width, height = image.size
    scale = min(size / min(width, height), LONGEST * size / max(width, height))
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    narrow = [np.asarray(resized(lightness(pixels), w, len(pixels))) for _, pixels in strips_of(image)]
    return np.asarray(resized(np.concatenate(narrow), w, h)).clip(0, 100)


def resized(values: np.ndarray, width: int, height: int) -> Image.Image:
    return Image.fromarray(values.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)


def window_means(x: np.ndarray) -> np.ndarray:
    """(…, h, w) -> the means of the windows around each pixel, of what of them lies in the picture."""
    for axis in (-2, -1):
        side = x.shape[axis]
        sums = np.insert(np.cumsum(x, axis=axis, dtype=np.float64), 0, 0, axis=axis)
        low, high = (np.arange(side) - RADIUS).clip(0), (np.arange(side) + RADIUS + 1).clip(max=side)
        count = (high - low).reshape((-1, 1) if axis == -2 else (1, -1))
        x = (np.take(sums, high, axis) - np.take(sums, low, axis)) / count
    return x


def lines_of(L: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Slopes and offsets (4, h, w) of a and b as lines in lightness: the guided filter (He et al. 2013, eq. 5 to 8)."""
    mean_L, mean_ab = window_means(L), window_means(ab)
    variance = (window_means(L * L) - mean_L * mean_L).clip(0)
    slope = (window_means(L * ab) - mean_L * mean_ab) / (variance + SMOOTHNESS**2)
    return np.concatenate([window_means(slope), window_means(mean_ab - slope * mean_L)]).astype(np.float32)


def enlarge(small: np.ndarray, places: np.ndarray, axis: int, side: int) -> np.ndarray:
    """The rows (axis 1) or columns (axis 2) at `places` of a picture of `side` of them, bilinear, of a smaller one."""
    count = small.shape[axis]
    at = ((places + 0.5) * (count / side) - 0.5).clip(0, count - 1)
    before = at.astype(int)
    share = (at - before).astype(np.float32).reshape((-1, 1) if axis == 1 else (1, -1))
    one, other = np.take(small, before, axis), np.take(small, (before + 1).clip(max=count - 1), axis)
    return one + share * (other - one)


def light_of(L: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (…) -> linear sRGB (3, …), below 0 or above 1 where sRGB has no such colour"""
    f = (L + 16) / 116
    xyz = np.stack([f + a / 500, f, f - b / 200])
    xyz = np.where(xyz > 6 / 29, xyz**3, (xyz - np.float32(4 / 29)) * np.float32(3 * (6 / 29) ** 2))
    return np.tensordot(RGB_OF_XYZ, xyz, 1)


def outside(light: np.ndarray) -> np.ndarray:
    """Linear sRGB (3, …) -> whether sRGB lacks the colour"""
    return (light.min(axis=0) < DARKEST) | (light.max(axis=0) > BRIGHTEST)


def rgb_of(L: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """L (H, W) and ab (2, H, W) -> sRGB (H, W, 3) uint8; colours that sRGB lacks get the largest chroma that it has."""
    light = light_of(L, *ab)
    wrong = outside(light)
    lightness, (a, b), share = L[wrong], ab[:, wrong], np.zeros_like(L[wrong])
    for halving in range(1, HALVINGS + 1):
        more = share + np.float32(0.5**halving)
        share = np.where(outside(light_of(lightness, more * a, more * b)), share, more)
    light[:, wrong] = light_of(lightness, share * a, share * b)
    light = light.clip(0, 1)
    return np.moveaxis(levels_of(light), 0, -1)


def levels_of(light: np.ndarray) -> np.ndarray:
    """Linear light 0…1 -> sRGB uint8"""
    rgb = np.where(light > 0.0031308, 1.055 * light ** np.float32(1 / 2.4) - 0.055, 12.92 * light)
    return np.rint(rgb * 255).astype(np.uint8)


def open_upright(path: Path) -> tuple[Image.Image, Image.Image | None, bytes]:
    """The photograph as its EXIF turns it, RGB in sRGB; its transparency, if it has any; and its EXIF."""
    image = Image.open(path, formats=FORMATS)
    if image.width * image.height > max(HARMLESS, PIXELS_A_BYTE * path.stat().st_size):
        raise ValueError(f"it has {image.width}×{image.height} pixels in few bytes, as no photograph has")
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"):
        raise ValueError(f"its samples are of more than 8 bits, or no colours ({image.mode})")
    exif = image.getexif()
    turn = TURNS.get(exif.pop(0x0112, 1))
    try:
        kept = exif.tobytes()
    except Exception:  # values of other types than their tags have, which Pillow reads and cannot write
        kept = b""
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    alpha = None if alpha is None or alpha.getextrema()[0] == 255 else alpha  # none is kept where all is opaque
    rgb = in_srgb(image)
    if turn is not None:
        rgb, alpha = rgb.transpose(turn), alpha and alpha.transpose(turn)
    return rgb, alpha, kept


def in_srgb(image: Image.Image) -> Image.Image:
    """RGB, through the colour profile or gamma in the file where they fit."""
    profile, gamma = image.info.get("icc_profile"), image.info.get("gamma", 0.45)
    if image.mode == "CMYK" and image.format in ("JPEG", "MPO") and "adobe" not in image.info:
        image = ImageChops.invert(image)  # as Pillow has done with the inks of all
    elif image.mode in ("1", "LA"):
        image = image.convert("L")
    elif image.mode in ("P", "PA", "RGBA"):
        image = image.convert("RGBA").convert("RGB")
    if profile:
        try:
            return ImageCms.profileToProfile(image, io.BytesIO(profile), SRGB, outputMode="RGB") or image
        except (OSError, ImageCms.PyCMSError):  # it is broken, or of another kind of picture
            return image.convert("RGB")
    if "srgb" not in image.info and 0.01 < gamma < 100 and abs(gamma - 1 / 2.2) >= 0.02:
        image = image.point([*levels_of(LEVELS ** (1 / gamma))] * len(image.getbands()))
    return image.convert("RGB")


def paint_file(network: OnnxNetwork, source: Path, target: Path, seed: int) -> None:
    image, alpha, exif = open_upright(source)
    L = shrink_lightness(image, network.size)
    key = repr((seed, source.name, 0)).encode()  # as `colorize paint --seed` seeds a photograph
    ab = network(L, int.from_bytes(blake2b(key, digest_size=8).digest(), "big") >> 1)
    lines, painted, columns = lines_of(L, ab), Image.new("RGB", image.size), np.arange(image.width)
    for top, pixels in strips_of(image):
        strip = enlarge(lines, np.arange(top, top + len(pixels)), 1, image.height)
        slope, offset = np.split(enlarge(strip, columns, 2, image.width), 2)
        full = lightness(pixels)
        painted.paste(Image.fromarray(rgb_of(full, slope * full + offset)), (0, top))
    kind, marks = ENDINGS[target.suffix.lower()], PngImagePlugin.PngInfo()
    marks.add_itxt("XML:com.adobe.xmp", XMP)
    options = {"pnginfo": marks} if kind == "PNG" else {"quality": 95, "subsampling": 0, "xmp": XMP.encode()}
    if alpha is not None and kind == "PNG":
        painted.putalpha(alpha)
    elif alpha is not None:
        painted.paste("white", mask=alpha.point(lambda value: 255 - value))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")  # so that what exists is whole
    painted.save(part, kind, icc_profile=SRGB.tobytes(), exif=exif, **options)
    part.replace(target)


def choose_targets(photographs: list[Path], output: Path) -> dict[Path, Path]:
    """Painted file -> photograph. Ends the program with a sentence where the words mean no such files."""
    single = output.suffix.lower() in ENDINGS and not output.is_dir()
    if not (single or output.is_dir()) and (output.exists() or output.suffix.lower() in Image.registered_extensions()):
        sys.exit(f"{str(output)!r} cannot be written: name a folder, or a file that ends in .png or .jpg")
    plan: dict[str, tuple[Path, Path]] = {}
    for source in photographs:
        target = output if single else output / f"{source.stem}.png"
        if (other := plan.setdefault(str(target).lower(), (target, source))[1]) is not source:
            sys.exit(f"{str(other)!r} and {str(source)!r} would both become {str(target)!r}: name different outputs")
    return dict(plan.values())


def run(words: list[str] | None = None) -> int:
    """The exit status: 0, or 1 where a photograph could not be painted; the others are."""
    parser = ArgumentParser("paint.py", description="Colour photographs with the network beside this file.")
    parser.add_argument("photographs", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="a folder; or a file, for one photograph")
    parser.add_argument("--seed", type=int, default=0, help="of a network that draws (0)")
    given = parser.parse_args(words)
    plan, failed = choose_targets(given.photographs, given.output), 0
    try:
        network = OnnxNetwork(Path(__file__).parent)
    except Exception as error:  # onnxruntime raises kinds of its own
        sys.exit(f"the network beside paint.py cannot be read ({str(error).splitlines()[0]}): copy the folder again")
    for target, source in plan.items():
        try:
            if target.exists():
                raise OSError(f"{str(target)!r} exists already and is kept: name another output")
            paint_file(network, source, target, given.seed)
            print(f"{str(source)!r} is painted: {str(target)!r}")
        except (OSError, ValueError, Image.DecompressionBombError, ImageCms.PyCMSError) as error:
            failed += 1
            why = f"{error.strerror} ({error.filename})" if isinstance(error, OSError) and error.errno else str(error)
            why = "it is not a picture that Pillow reads" if isinstance(error, UnidentifiedImageError) else why
            print(f"{str(source)!r} is not painted: {why}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run())
