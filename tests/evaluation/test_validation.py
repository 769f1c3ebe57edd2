"""What training measures before its first step, and on which photographs: none by the order of a list."""

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.batch import Batch
from colorize.data import Folder, sources
from colorize.data.collection import Collection
from colorize.data.listing import list_folder
from colorize.data.loader import SampleIndex
from colorize.evaluation.validation import Validator, mean_ab, measure_baselines
from colorize.evaluation.validation_set import black_and_white_squares, squares_of
from colorize.imaging.film import EMULSIONS
from colorize.imaging.film_look import Film, lightness_grey, luma_of

CPU = torch.device("cpu")
RED, BLUE, GREY = (200, 40, 40), (40, 40, 200), (120, 120, 120)


def coloured(folder, **counts):
    """So many photographs of one colour in a folder that is called so."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (32, 32), globals()[name.upper()]).save(folder / name / f"{number}.png")
    return folder


def test_the_mean_colour_is_not_that_of_the_first_class(tmp_path, monkeypatch):
    monkeypatch.setattr("colorize.evaluation.validation.MEAN_AB_OF", 60)
    data = Folder(str(coloured(tmp_path / "photos", blue=100, red=100)), size=32)
    found = mean_ab(data)
    each = [Batch.from_rgb(data.centre(photo)[None]).ab.mean(dim=(0, 2, 3)) for photo in data.train]
    blue, mean = each[0], torch.stack(each).mean(dim=0)
    assert float((found - mean).norm()) < 0.2 * float((blue - mean).norm())


def test_the_sample_sheet_shows_several_classes(tmp_path):
    train = coloured(tmp_path / "train", red=2)
    data = Folder(str(train), val_root=str(coloured(tmp_path / "val", blue=30, grey=30, red=30)), size=32)
    shown_places = sorted(sources.by_hash(data.val)[:8].tolist())
    validator = Validator(squares_of(data, data.val), {}, batch_size=7, shown=shown_places)
    names = [data.val[place].name for place in validator.shown]
    assert len({name.split("/")[0] for name in names}) == 3
    shown = []
    validator._grid = lambda tiles: shown.extend(tiles)
    validator.score(lambda L, _: torch.zeros(len(L), 2, *L.shape[2:]), CPU)
    pixels = torch.cat([true for _, _, true in shown])[:, :, 16, 16].tolist()
    colours = {"red": list(RED), "blue": list(BLUE), "grey": list(GREY)}
    assert pixels == [colours[name.split("/")[0]] for name in names]


def test_old_photographs_are_not_the_first_of_their_folder(tmp_path):
    for place in range(40):
        (tmp_path / f"{'ab'[place // 20]}").mkdir(exist_ok=True)
        Image.new("L", (32, 32), 5 * place).save(tmp_path / "ab"[place // 20] / f"{place:02}.png")
    names = black_and_white_squares(str(tmp_path), 16, 8).names
    assert names == sorted(names)
    assert {name[0] for name in names} == {"a", "b"}
    every = Collection(list_folder(tmp_path))
    assert set(names) == {every[place].name for place in sources.by_hash(every)[:8].tolist()}


@pytest.mark.parametrize(("grey", "colour", "warned"), [(20, 0, True), (15, 5, True), (2, 18, False)])
def test_a_grey_training_set_is_warned_of(grey, colour, warned, tmp_path, capsys):
    val = coloured(tmp_path / "val", red=2)
    data = Folder(str(coloured(tmp_path / "train", grey=grey, red=colour)), val_root=str(val), size=32)
    measure_baselines(Validator(squares_of(data, data.val), {}), data, CPU)
    printed = " ".join(capsys.readouterr().out.split())
    assert (f"{grey} of 20 training photographs that were looked at are grey" in printed) == warned


def test_reading_at_the_start_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("colorize.evaluation.validation.ProgressBar.__init__.__defaults__", (0.0, 0))
    data = Folder(str(coloured(tmp_path / "photos", blue=10, red=10)), size=32, val_fraction=0.5)
    measure_baselines(Validator(squares_of(data, data.val), {}, batch_size=5), data, CPU)
    printed = " ".join(capsys.readouterr().out.split())
    assert "mean colour: 10 of 10 training photographs" in printed
    for name in ("grey", "mean ab"):
        assert f"baseline {name}: 10 of 10 validation photographs" in printed


def draws(count):
    return [SampleIndex(i, i) for i in range(count)]


def test_a_look_leaves_the_grey_of_the_input_to_the_others(photographs):
    """With input=luma training sees luma where validation does; before, the lightness."""
    plain, mixed = (
        next(
            Folder(str(photographs), size=32, input="luma", look=Film(share=share)).batches(draws(12), [12], 0)
        ) for share in (0, 0.5)
    )  # fmt: skip
    rgb = plain.rgb.permute(0, 2, 3, 1).numpy()
    assert all(np.array_equal(grey[0].numpy(), luma_of(one)) for grey, one in zip(plain.grey, rgb, strict=True))
    same = [np.array_equal(grey[0].numpy(), luma_of(one)) for grey, one in zip(mixed.grey, rgb, strict=True)]
    assert 0 < sum(same) < 12
    lightness = next(Folder(str(photographs), size=32, look=Film(share=0)).batches(draws(12), [12], 0))
    assert all(
        np.array_equal(grey[0].numpy(), lightness_grey(one)) for grey, one in zip(lightness.grey, rgb, strict=True)
    )
    assert EMULSIONS
