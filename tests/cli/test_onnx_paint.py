"""The program paint.py of an exported folder: what it paints as `colorize paint` does, and what it refuses."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from tests.helpers.deployed import assert_same_pictures, run_program, run_verb

pytest.importorskip("onnxscript")


def test_the_program_paints_as_the_verb_does(deployed, photos, tmp_path):
    done = run_program(deployed, *sorted(photos.iterdir()), "-o", tmp_path / "alone")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"{str(photos / 'a.jpg')!r} is painted: {str(tmp_path / 'alone' / 'a.png')!r}"
    assert len(done.stdout.splitlines()) == 4
    assert run_verb("paint", photos, "-w", deployed / "source", "-o", tmp_path / "verb") == 0
    assert_same_pictures(tmp_path / "verb", tmp_path / "alone", 4)
    with Image.open(tmp_path / "alone" / "c.png") as image:
        assert image.mode == "RGBA"
        assert "algorithmicallyEnhanced" in str(image.info)


def test_the_program_says_what_it_cannot_paint_and_paints_the_others(deployed, photos, tmp_path):
    (photos / "text.jpg").write_text("no picture")
    given = [photos / "text.jpg", photos, tmp_path / "none.jpg", photos / "a.jpg"]
    done = run_program(deployed, *given, "-o", tmp_path / "alone")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"{str(photos / 'text.jpg')!r} is not painted: it is not a picture that Pillow reads",
        f"{str(photos)!r} is not painted: Is a directory ({photos})",
        f"{str(tmp_path / 'none.jpg')!r} is not painted: No such file or directory ({tmp_path / 'none.jpg'})",
    ]
    assert [path.name for path in (tmp_path / "alone").iterdir()] == ["a.png"]


def test_the_program_reads_inks_gamma_and_profiles_as_the_verb_does(deployed, tmp_path):
    """Transparency and palettes with a profile, profiles that do not fit, PNG's gAMA, inks without Adobe's marker."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    photo = Image.fromarray(random.integers(0, 256, (6, 7, 3), dtype=np.uint8)).resize((90, 70))
    wide = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"rXYZ", b"tXYZ", 1)
    wide = wide.replace(b"gXYZ", b"rXYZ", 1).replace(b"tXYZ", b"gXYZ", 1)  # red and green change places
    photo.convert("RGBA").save(folder / "alpha.png", icc_profile=wide)
    photo.quantize(64).save(folder / "palette.png", icc_profile=wide)
    photo.convert("L").save(folder / "misfit.png", icc_profile=wide)
    photo.save(folder / "broken.png", icc_profile=b"no profile")
    inks = io.BytesIO()
    photo.convert("CMYK").save(inks, "JPEG")
    marker = inks.getvalue().index(b"\xff\xee\x00\x0eAdobe")
    (folder / "inks.jpg").write_bytes(inks.getvalue()[:marker] + inks.getvalue()[marker + 16 :])
    gamma = PngImagePlugin.PngInfo()
    gamma.add(b"gAMA", (100_000).to_bytes(4, "big"))
    photo.save(folder / "gamma.png", pnginfo=gamma)
    assert run_verb("paint", folder, "-w", deployed / "source", "-o", tmp_path / "verb") == 0
    done = run_program(deployed, *sorted(folder.iterdir()), "-o", tmp_path / "alone")
    assert done.returncode == 0, done.stderr
    assert_same_pictures(tmp_path / "verb", tmp_path / "alone", 6)


def test_the_program_refuses_what_it_would_paint_wrongly(deployed, photos, tmp_path):
    Image.fromarray(np.full((9, 8), 40_000, np.uint16)).save(tmp_path / "deep.png")
    Image.new("L", (9, 8)).save(tmp_path / "sheet.tif")
    Image.new("1", (3000, 3000)).save(tmp_path / "bomb.png")
    names = ["deep.png", "sheet.tif", "bomb.png"]
    done = run_program(deployed, *(tmp_path / name for name in names), photos / "a.jpg", "-o", tmp_path / "alone")
    assert (done.returncode, [path.name for path in (tmp_path / "alone").iterdir()]) == (1, ["a.png"])
    for name, line, words in zip(
        names, done.stderr.splitlines(),
        ["more than 8 bits", "not a picture that Pillow reads", "as no photograph has"], strict=True,
    ):  # fmt: skip
        assert name in line
        assert words in line


def test_the_program_says_that_its_folder_or_a_package_is_not_whole(deployed, photos, tmp_path):
    for name, words in (("model.onnx", "model.onnx has been changed"), ("config.json", "Expecting value")):
        folder = tmp_path / name
        shutil.copytree(deployed / "onnx", folder / "onnx")
        with (folder / "onnx" / name).open("r+b") as file:
            file.truncate(3 if name == "model.onnx" else 0)
        done = run_program(folder, photos / "a.jpg", "-o", tmp_path / "alone")
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
        assert words in done.stderr
    stub = tmp_path / "stub"
    (stub / "onnx").mkdir(parents=True)
    shutil.copy(deployed / "onnx" / "paint.py", stub / "onnx")
    (stub / "onnx" / "onnxruntime.py").write_text("raise ImportError('none here')")
    done = run_program(stub, photos / "a.jpg", "-o", tmp_path / "alone")
    assert (done.returncode, done.stderr.splitlines()) == (
        1, ["paint.py needs onnxruntime, numpy and Pillow (none here): pip install onnxruntime numpy Pillow"],
    )  # fmt: skip


def test_the_program_paints_over_no_file_and_makes_no_empty_folder(deployed, photos, tmp_path):
    before = (photos / "b.png").read_bytes()
    done = run_program(deployed, photos / "b.png", "-o", photos)
    assert (done.returncode, (photos / "b.png").read_bytes()) == (1, before)
    place = str(photos / "b.png")
    assert done.stderr == f"{place!r} is not painted: {place!r} exists already and is kept: name another output\n"
    assert run_program(deployed, tmp_path / "none.jpg", "-o", tmp_path / "empty").returncode == 1
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize(
    ("photographs", "output", "message"),
    [
        (["one/x.jpg", "other/X.jpg"], "same", "'one/x.jpg' and 'other/X.jpg' would both become 'same/X.png'"),
        (["one/x.jpg", "two/y.jpg"], "out.png", "'one/x.jpg' and 'two/y.jpg' would both become 'out.png'"),
        (["one/x.jpg"], "out.tif", "'out.tif' cannot be written: name a folder, or a file that ends in .png or .jpg"),
    ],
)
def test_the_program_refuses_outputs_before_it_paints(photographs, output, message, deployed, tmp_path):
    done = run_program(deployed, *photographs, "-o", output, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(message)
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
