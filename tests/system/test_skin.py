"""experiments/release: faces, and how far painted skin is from the truth."""

import csv

import numpy as np
import pytest
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from colorize.data.sources import DEMO
from tests.helpers.configs import ROOT

RELEASE = ROOT / "experiments" / "release"
BOX = (20, 10, 60, 50)  # left, top, right, bottom


@pytest.fixture
def release(monkeypatch):
    """The modules of the folder."""
    monkeypatch.syspath_prepend(RELEASE)
    import faces
    import skin

    return faces, skin


def flat(lightness, a, b):
    """(60, 90, 3) uint8: one colour in the central half of BOX, and another elsewhere."""
    lab = np.full((60, 90, 3), (50.0, -20.0, 20.0))
    lab[20:40, 30:50] = lightness, a, b
    return np.rint(lab2rgb(lab) * 255).astype(np.uint8)


def lab_of(pixels):
    return rgb2lab(pixels)[20:40, 30:50].mean(axis=(0, 1))


@pytest.fixture
def painted(release, tmp_path):
    """Nine photographs of a face each, the darkest in green, the others in half their chroma; what each is measured
    by."""
    for folder in ("true", "painted"):
        (tmp_path / folder).mkdir()
    expected, lines = [], [release[0].Face._fields]
    for number in range(9):
        name, L, chroma = f"{number}.png", 30 + 5 * number, 10 + number
        true = flat(L, chroma, chroma)
        its = flat(L, -chroma, chroma) if number < 3 else flat(L, chroma / 2, chroma / 2)
        Image.fromarray(true).save(tmp_path / "true" / name)
        Image.fromarray(its).save(tmp_path / "painted" / name)
        lines.append((name, *BOX, 1))
        expected.append((np.linalg.norm((lab_of(its) - lab_of(true))[1:]), np.linalg.norm(lab_of(true)[1:])))
    with (tmp_path / "faces.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return np.array(expected)


def test_skin_is_measured_by_thirds_of_its_lightness(release, painted, tmp_path, monkeypatch):
    words = ["skin.py", tmp_path / "painted", tmp_path / "true", "-o", tmp_path / "s"]
    words += ["--faces", tmp_path / "faces.csv"]
    monkeypatch.setattr("sys.argv", list(map(str, words)))
    assert release[1].main() == 0
    with (tmp_path / "s.csv").open(newline="") as file:
        found = {(row["row"], row["third"], row["metric"]): row for row in csv.DictReader(file)}
    for third, part in (("dark", slice(3)), ("middle", slice(3, 6)), ("light", slice(6, 9)), ("all", slice(9))):
        error, chroma = painted[part].mean(axis=0)
        wanted = {("network", "ab error"): error, ("grey", "ab error"): chroma,
                  ("network", "ab error less grey's"): error - chroma}  # fmt: skip
        for (row, metric), value in wanted.items():
            cell = found[row, third, metric]
            assert float(cell["value"]) == pytest.approx(value, abs=0.1)
            assert float(cell["low"]) < value < float(cell["high"])
            assert int(cell["n"]) == int(cell["faces"]) == len(painted[part])
        assert float(found["network", third, "chroma, of the truth's"]["value"]) == pytest.approx(
            {"dark": 1, "all": 0.63}.get(third, 0.5), abs=0.03
        )
    assert (tmp_path / "s.md").read_text().count("\n") == 6


def test_faces_of_one_photograph_are_one_draw(release):
    """An interval over four photographs of five equal faces each is that over four photographs."""
    _, skin = release
    values = [10.0, 14.0, 12.0, 20.0]
    several = [release[0].Face(f"{i}.jpg", *BOX, 1 - n / 100) for i in range(4) for n in range(5)]
    alone = several[::5]
    many = skin.ratio_of_sums(several, [(value, 1.0) for value in values for _ in range(5)])
    one = skin.ratio_of_sums(alone, [(value, 1.0) for value in values])
    assert many == pytest.approx(one)
    assert many.n == 4


def test_photographs_that_are_not_there_are_named(release, painted, tmp_path):
    _, skin = release
    (tmp_path / "true" / "4.png").unlink()
    network = skin.open_network(str(tmp_path / "painted"), "best", None)
    with pytest.raises(skin.UserError, match=r"lacks '4\.png'"):
        skin.measure_faces(network, str(tmp_path / "true"), skin.read_faces(tmp_path / "faces.csv"))


def test_the_table_of_faces_is_whole(release):
    found = release[0].read_faces(RELEASE / "faces.csv")
    assert len(set(found)) == len(found) > 100
    assert all(face.is_measured(10**6, 10**6) for face in found)
    text = (RELEASE / "README.md").read_text(encoding="utf-8")
    assert f"{len(found)} faces" in text
    assert f"in {len({face.photograph for face in found})} of" in text


def test_faces_are_found(release, tmp_path):
    """Of seven people who face the camera, most; the detector is slow to begin."""
    pytest.importorskip("facenet_pytorch")
    (tmp_path / "hero.jpg").write_bytes((DEMO / "uswds_hero.jpg").read_bytes())
    found = release[0].find_faces(tmp_path)
    assert 6 <= len(found) <= 9
    assert release[0].draw_sheet(tmp_path, found).size[0] == release[0].TILE * release[0].COLUMNS
