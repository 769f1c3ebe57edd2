"""Measuring: every photograph once and in order, over processes and after a cut; aggregated values."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from colorize.data.collection import Photo
from colorize.evaluation.batches import make_eval_batch, read_eval_image
from colorize.evaluation.image_table import read_image_values
from colorize.evaluation.measure import PICTURES, Measurement, aggregate
from colorize.evaluation.predictors import constant_ab, predictor_of
from colorize.evaluation.selection import select_photographs
from colorize.metrics import PSNR, SSIM, Colorfulness, MeanColorfulnessDifference, Picture, PooledPSNR
from colorize.metrics.full_reference import CHROMAS, HUES, errors_by_colour, mean_errors_by_colour
from colorize.utils.distributed import World
from tests.helpers.evaluations import CPU, protocol


def test_errors_find_the_colour_that_is_wrong():
    """Half of a picture is saturated red and painted grey; the other half is grey and painted right."""
    true = torch.full((1, 3, 8, 8), 128, dtype=torch.uint8)
    true[0, :, :4] = torch.tensor([255, 0, 0], dtype=torch.uint8).view(3, 1, 1)
    painted = torch.full((1, 3, 8, 8), 128, dtype=torch.uint8)
    found = mean_errors_by_colour(errors_by_colour(Picture(painted), Picture(true)).numpy())
    chroma = 104.55  # of sRGB's red
    red = int(40.0 / 360 * HUES)
    assert found.hue_pixels[red] == pytest.approx(1)
    assert found.hue_errors[red] == pytest.approx(chroma, abs=0.05)
    assert np.isnan(np.delete(found.hue_errors, red)).all()
    assert found.chroma_pixels[[0, CHROMAS - 1]] == pytest.approx([0.5, 0.5])
    assert found.chroma_errors[[0, CHROMAS - 1]] == pytest.approx([0, chroma], abs=0.05)
    assert found.painted_chroma[CHROMAS - 1] == pytest.approx(0, abs=0.02)


def test_aggregated_metrics_are_what_the_metrics_say(scene):
    """A value in the table is the metric's own over the set, however it is made of means."""
    metrics = {
        "psnr": PSNR(), "psnr_pooled": PooledPSNR(), "ssim": SSIM(), "colorfulness": Colorfulness(),
        "delta_colorfulness": MeanColorfulnessDifference(),
    }  # fmt: skip
    pair = predictor_of(constant_ab((9.0, -5.0)))(scene)
    values = {}
    for name, metric in metrics.items():
        metric.add(pair)
        values |= {
            f"{name}_{column}" if column else name: numbers.double().numpy()
            for column, numbers in metric.named(pair).items()
        }
    pictures = type("Pictures", (), {"values": values})
    cells = aggregate(pictures, metrics)
    assert {name: cell.value for name, cell in cells.items()} == {
        name: pytest.approx(metric.compute(), rel=1e-6) for name, metric in metrics.items()
    }
    assert all(cell.low <= cell.value <= cell.high and cell.n == 3 for cell in cells.values())


class Processes(World):
    """One of several that work one after the other, the last of which joins their parts."""

    def on_main_then_broadcast(self, job):
        return job() if self.is_main else None

    def gather(self, value):
        return [value]


def measuring(folder, world=None, batch_size=16, **changes):
    wanted = protocol(source=str(folder), geometry="long", **changes)
    return Measurement(
        wanted, select_photographs(wanted), {"psnr": PSNR(), "ssim": SSIM()}, [], CPU, batch_size, world or World()
    )


ROWS = {"model": predictor_of(constant_ab((20.0, -8.0))), "grey": predictor_of(constant_ab((0, 0)))}


def table_of(folder):
    return {row: read_image_values(folder / PICTURES, row) for row in ROWS}


def test_pictures_are_measured_once_and_in_order(many, tmp_path):
    measuring(many).measure(ROWS, tmp_path / "work", {}, "test")
    for pictures in table_of(tmp_path / "work").values():
        assert pictures.names == [f"{number:03d}.png" for number in range(101)]
    grey = table_of(tmp_path / "work")["grey"].values["psnr"]
    for place in (0, 30, 100):
        image = Image.open(many / f"{place:03d}.png")
        true = np.asarray(image.resize((32, round(32 * 40 / image.width)), Image.Resampling.BICUBIC))
        row = read_eval_image(Photo(str(many / f"{place:03d}.png"), ""), protocol(geometry="long"))
        scene = make_eval_batch([row], [""], 0, protocol(), CPU)
        painted = predictor_of(constant_ab((0, 0)))(scene).painted.pixels[0].permute(1, 2, 0).numpy()
        assert grey[place] == pytest.approx(peak_signal_noise_ratio(true, painted), abs=1e-4)


@pytest.mark.parametrize("size", [2, 3])
def test_several_processes_give_the_same_numbers(size, many, tmp_path, monkeypatch):
    measuring(many).measure(ROWS, tmp_path / "one", {}, "test")
    joined = []
    monkeypatch.setattr("colorize.evaluation.measure.join_parts", lambda *words: joined.append(words))
    (tmp_path / "several").mkdir()
    for rank in range(size):
        measuring(many, Processes(rank, size)).measure(ROWS, tmp_path / "several", {}, "test")
    monkeypatch.undo()
    from colorize.evaluation.measure import join_parts

    join_parts(*joined[0])
    for row, pictures in table_of(tmp_path / "one").items():
        others = table_of(tmp_path / "several")[row]
        assert others.names == pictures.names
        for name, values in pictures.values.items():
            assert np.abs(others.values[name] - values).max() < 1e-6


def test_what_was_cut_off_is_gone_on_with(many, tmp_path):
    """Killed in its 53rd picture, and again in its 84th: every picture is painted once but for those of a batch."""
    painted = []

    def counting(kill_at):
        def paint(scene):
            painted.extend(scene.places)
            if kill_at in scene.places:
                raise KeyboardInterrupt
            return ROWS["model"](scene)

        return {"model": paint, "grey": ROWS["grey"]}

    for kill_at in (52, 83):
        with pytest.raises(KeyboardInterrupt):
            measuring(many).measure(counting(kill_at), tmp_path / "work", {"a": 1}, "test")
    measuring(many).measure(counting(None), tmp_path / "work", {"a": 1}, "test")
    assert len(painted) < 101 + 2 * 16 + 1
    measuring(many).measure(ROWS, tmp_path / "undisturbed", {}, "test")
    for name in (PICTURES, "errors.f32"):
        assert (tmp_path / "work" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
    painted.clear()
    measuring(many).measure(counting(None), tmp_path / "work", {"a": 1}, "test")
    assert not painted  # it is whole
    measuring(many).measure(counting(None), tmp_path / "work", {"a": 2}, "test")
    assert len(painted) == 101  # other work
