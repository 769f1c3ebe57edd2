"""The verb `plates`: both pictures and a sheet, and never over a scan."""

import numpy as np
from PIL import Image

from colorize.imaging.plates import compose
from tests.helpers.exposures import scan_of


def test_the_verb_writes_both_pictures_and_a_sheet(inside, tmp_path):
    scan, _ = scan_of("pip_china")
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.fromarray(scan).save(folder / "a.png")
    Image.fromarray(scan[:200]).save(folder / "b.png")
    (folder / "c.png").write_bytes(b"no picture")
    done = inside("plates", folder, "-o", "out")
    assert done.returncode == 1
    assert f"b.png: it has {scan.shape[1]}×200 pixels" in done.stderr
    assert "c.png: it is a text" in done.stderr
    assert "composed 1 of 3" in done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.png", "a-blue.png", "contact-sheet.png"}
    plate = compose(scan)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a.png")), plate.rgb)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a-blue.png")), plate.blue)


def test_the_verb_writes_over_no_scan(inside, tmp_path):
    scan, _ = scan_of("pip_china")
    for name in ("one/a.png", "two/a.tif"):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(scan).save(tmp_path / name)
    before = (tmp_path / "one" / "a.png").read_bytes()
    for words in (["one/a.png", "two/a.tif", "-o", "out"], ["one", "-o", "one"], ["one/a.png", "-o", "a.png"]):
        done = inside("plates", *words)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
    assert (tmp_path / "one" / "a.png").read_bytes() == before
    assert not (tmp_path / "out").exists()
    assert "there is no photograph" in inside("plates", "nowhere.tif", "-o", "out").stderr
