"""What an evaluation leaves on disk: it is read back as it was, and what is none of ours is refused."""

import json
from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest
from omegaconf import OmegaConf

from colorize.evaluation import result as result_module
from colorize.evaluation.image_table import ImageTable, read_image_values, stream_image_rows
from colorize.evaluation.protocol import INPUTS, Protocol
from colorize.evaluation.result import LABELS, Result, group_of, read_result, write_result
from colorize.metrics.metric_info import Interval
from colorize.utils.errors import UserError


@pytest.fixture
def result():
    return Result(
        "toy", {"id": "toy-3-abc", "size": 32, "input": ["lab_l"]},
        {"model": {"psnr": Interval(22.125, 21.0, 23.5, 3), "hue_error": Interval(nan, nan, nan, 0)},
         "grey": {"psnr": Interval(inf, nan, nan, 3)}},
        absent={"fid": "too few"}, versions={"torch": "2"}, weights={"network": {"sha256": "0"}}, manifest="m", seed=0,
        cost={"parameters": 3, "gmacs": 0.5, "size": [32, 32]},
    )  # fmt: skip


def test_a_result_is_read_as_it_was_written(result, tmp_path):
    path = write_result(tmp_path / "deep" / "toy.json", result)
    json.loads(path.read_text(), parse_constant=pytest.fail)  # plain JSON, which has no NaN
    found = read_result(path)
    assert repr(found) == repr(result)
    assert found.rows["model"]["psnr"] == result.rows["model"]["psnr"]


def test_a_result_from_before_costs_were_kept(result, tmp_path):
    path = write_result(tmp_path / "toy.json", result)
    held = json.loads(path.read_text())
    del held["cost"]
    path.write_text(json.dumps(held))
    assert read_result(path) == replace(read_result(path), cost={})
    assert read_result(path).rows.keys() == result.rows.keys()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda held: held.pop("rows"), "it has no 'rows'"),
        (lambda held: held.update(extra=1), "it has an unknown field 'extra'"),
        (lambda held: held["protocol"].pop("id"), "its protocol has no id"),
        (lambda held: held["rows"].pop("model"), "it has no row 'model'"),
        (lambda held: held["rows"].update(blue={}), "it has a row 'blue' without a label"),
        (lambda held: held["rows"]["model"].update(psnr=3), "'psnr' of its row 'model' is not {value, low, high, n}"),
        (lambda held: held["rows"]["model"]["psnr"].update(value="many"), "'psnr' of its row 'model' is not"),
        (lambda held: held.update(absent=[]), "its 'absent' is not a JSON object"),
        (lambda held: held.update(cost=3), "its 'cost' is not a JSON object"),
    ],
)
def test_what_is_no_result(change, sentence, result, tmp_path):
    path = write_result(tmp_path / "toy.json", result)
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))
    with pytest.raises(UserError, match="is not the result of an evaluation") as error:
        read_result(path)
    assert sentence in str(error.value)


def test_half_a_file_and_none(result, tmp_path):
    path = write_result(tmp_path / "toy.json", result)
    path.write_text(path.read_text()[:100])
    with pytest.raises(UserError, match=r"toy.json' is not whole, or no JSON: evaluate the run again"):
        read_result(path)
    with pytest.raises(UserError, match="there is no result"):
        read_result(tmp_path / "gone.json")


def test_what_cannot_be_read_is_not_written(result, tmp_path):
    with pytest.raises(UserError, match="it has a row 'pink'"):
        write_result(tmp_path / "toy.json", Result("x", {"id": "a"}, {"model": {}, "pink": {}}))
    assert not (tmp_path / "toy.json").exists()


def test_a_row_of_ones_own_brings_its_label(result, tmp_path, monkeypatch):
    """An input that a user's package adds makes a row, which whoever reads the result can show without the package."""
    inputs = {**INPUTS, "sepia": INPUTS["luma"]._replace(label="sepia")}
    monkeypatch.setattr("colorize.evaluation.protocol.INPUTS", inputs)
    labels = Protocol(name="mine", source="demo", size=32, input=["lab_l", "sepia"]).row_labels
    assert labels == {"model": LABELS["model"], "model_sepia": "network, shown sepia"}
    rows = {**result.rows, "model_sepia": result.rows["model"]}
    path = write_result(tmp_path / "toy.json", replace(result, rows=rows, row_labels=labels))
    monkeypatch.setattr("colorize.evaluation.result.LABELS", {**LABELS})
    assert "model_sepia" in read_result(path).rows
    assert result_module.LABELS["model_sepia"] == "network, shown sepia"


def test_every_input_has_the_label_of_its_row():
    for name in INPUTS:
        both = Protocol(name="x", source="demo", size=32, input=["lab_l" if name != "lab_l" else "luma", name])
        assert both.row_labels.items() <= LABELS.items()


def test_groups_are_recipes():
    """Seed and what moves no weight make no other recipe; a learning rate does."""
    cfg = OmegaConf.create(
        {"name": "x-${seed}", "seed": 0, "lr": 0.1, "tracker": {"mode": "auto"}, "trainer": {"device": "cpu"}}
    )
    other = OmegaConf.merge(cfg, {"seed": 3, "tracker": {"mode": "offline"}, "trainer": {"device": "cuda"}})
    assert group_of(cfg, ["a"]) == group_of(other, ["a"])
    assert group_of(cfg, ["a"]) != group_of(OmegaConf.merge(cfg, {"lr": 0.2}), ["a"])
    assert group_of(cfg, ["a"]) != group_of(cfg, ["b"])


# --- pictures


NAMES = ["a.jpg", 'with "quotes", commas.jpg', "naïve 写.jpg", "bytes \udcff.jpg"]
VALUES = {"psnr": [0.1 + 0.2, 1e-300, nan, 22.0], "top1": [1.0, 0.0, 1.0, 0.0]}


def filled(path, rows=("model", "grey")):
    with ImageTable(path, ["psnr", "top1"]) as table:
        table.add({row: VALUES for row in rows}, NAMES, ["cat", "", "dog, big", None])
    return path


def test_values_come_back_to_the_last_bit(tmp_path):
    found = read_image_values(filled(tmp_path / "toy.csv"), "grey")
    assert found.names == NAMES
    assert found.labels == ["cat", "", "dog, big", ""]
    for name, values in VALUES.items():
        assert np.array_equal(found.values[name], values, equal_nan=True)
    assert read_image_values(tmp_path / "toy.csv", "absent").names == []


def test_a_metric_that_a_row_lacks_is_empty(tmp_path):
    with ImageTable(tmp_path / "toy.csv", ["psnr", "ssim"]) as table:
        table.add({"model": {"psnr": [1.0], "ssim": [0.5]}, "truth": {"ssim": [1.0]}}, ["a"])
    assert np.isnan(read_image_values(tmp_path / "toy.csv", "truth").values["psnr"]).all()


@pytest.mark.parametrize("cut", [1, 30, 90, 150])
def test_a_killed_evaluation_is_gone_on_with(cut, tmp_path):
    """Wherever the file was cut, whole pictures stay that every row has, and what follows makes the file whole."""
    path, whole = tmp_path / "toy.csv", filled(tmp_path / "whole.csv")
    path.write_bytes(whole.read_bytes()[:-cut])
    with ImageTable(path, ["psnr", "top1"], ["model", "grey"]) as table:
        done = table.done.get("model", 0)
        assert table.done.get("grey", 0) == done <= 4
        rest = {name: values[done:] for name, values in VALUES.items()}
        table.add({"model": rest, "grey": rest}, NAMES[done:], ["cat", "", "dog, big", None][done:])
    for row in ("model", "grey"):
        one, other = read_image_values(path, row), read_image_values(whole, row)
        assert one.names == other.names
        assert np.array_equal(one.values["psnr"], other.values["psnr"], equal_nan=True)


def test_other_columns_are_refused(tmp_path):
    filled(tmp_path / "toy.csv")
    with pytest.raises(UserError, match=r"has the columns psnr, top1, and this evaluation measures ssim"):
        ImageTable(tmp_path / "toy.csv", ["ssim"])


def test_damage_is_named(tmp_path):
    path = filled(tmp_path / "toy.csv")
    text = path.read_text(errors="surrogateescape")
    path.write_text(text.replace("22.0", "twenty"), errors="surrogateescape")
    with pytest.raises(UserError, match="holds a value that is not a number"):
        list(stream_image_rows(path))
    path.write_text("row,name,label,psnr\nmodel,a\n")
    with pytest.raises(UserError, match=r"line 2 of .* has 2 cells, not 4"):
        list(stream_image_rows(path))
    path.write_text("something else\n")
    with pytest.raises(UserError, match="is not a table of pictures' values"):
        read_image_values(path)
    with pytest.raises(UserError, match="there is no table of pictures' values"):
        read_image_values(tmp_path / "gone.csv")


def test_a_picture_twice_and_a_name_with_a_line_break(tmp_path):
    with ImageTable(tmp_path / "toy.csv", ["psnr"]) as table:
        table.add({"model": {"psnr": [1.0, 2.0]}}, ["a", "a"])
        with pytest.raises(UserError, match=r"'b\\nc.jpg' has a line break: rename the file"):
            table.add({"model": {"psnr": [1.0]}}, ["b\nc.jpg"])
    with pytest.raises(UserError, match="holds 'a' twice in the row 'model'"):
        read_image_values(tmp_path / "toy.csv")
