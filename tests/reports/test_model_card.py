"""The model card of an export: its numbers are those of the results, and what it says is what it was told."""

import shutil

import pytest
import torch
from huggingface_hub import ModelCard
from PIL import Image
from safetensors.torch import load_file

import colorize
from colorize.metrics.metric_info import Interval
from colorize.models import CNN
from colorize.models.named_weights import shipped_weights
from colorize.models.weights import weights_digest
from colorize.reports.model_card import file_table, read_details
from colorize.utils.errors import UserError
from tests.helpers.cards import check_numbers, sections, table
from tests.helpers.configs import ROOT

LIMITS = ("predicted from lightness alone", "tends to their mean")  # of every network, as what it must not be used for
PROHIBITED = ("As evidence of the colours", "To tell or to alter the origin", "without saying that a program added")
RELEASE = ROOT / "experiments" / "release"
DETAILS = """
name: little network
license: mit
use: tests | of cards
machine: a small one
data: data.tsv
limits: [It has seen four photographs.]
prohibited: [For anything else.]
tables: [{title: Skin, file: skin.csv, note: On faces.}]
pictures: [{file: bad.jpg, caption: A face that stays grey.}]
"""


@pytest.fixture
def told(tmp_path):
    """A card's YAML, with the files that it names."""
    (tmp_path / "card.yaml").write_text(DETAILS)
    (tmp_path / "data.tsv").write_text("set\tlicence\tphotographs\nours\tCC0 | 1.0\t4\n")
    (tmp_path / "skin.csv").write_text("third,network,grey\ndark,9.31,12.50\nlight,8.02,11.75\n")
    Image.new("RGB", (8, 8)).save(tmp_path / "bad.jpg")
    return tmp_path / "card.yaml"


@pytest.fixture
def results(evaluated, trained):
    """Files of results of the trained run's network, under two protocols."""

    def make(half=False):
        state = colorize.load(trained()).state_dict()
        if half:
            state = {
                name: value.half().float() if value.is_floating_point() else value for name, value in state.items()
            }
        weights = {"network": {"of": "best.pt", "step": 4, "sha256": weights_digest(state)}}
        first = evaluated("first", weights=weights, absent={"lpips": "it has no weights here"}) + "/results/toy.json"
        rows = {
            "model": {"psnr": Interval(-1.005, float("nan"), float("nan"), 3), "fid": Interval(*[float("inf")] * 3, 3)}
        }
        second = evaluated("second", weights=weights, rows=rows) + "/results/toy.json"
        return [shutil.move(first, tmp(first)), shutil.move(second, tmp(second))]

    def tmp(path):
        return path.replace("toy.json", f"{path.split('/')[-3]}.json")

    return make


def test_its_numbers_are_those_of_the_results(inside, trained, told, results, tmp_path):
    made = results()
    done = inside("export", trained(), "-o", "out", "--half", "--card", told, "--results", *made)
    assert done.returncode == 0, done.stderr
    card = tmp_path / "out" / "README.md"
    assert check_numbers(card, made) == 6
    assert "before they were rounded" in sections(card)["first"]
    text, value = card.read_text(encoding="utf-8"), table(sections(card)["first"])[0]["network"]
    card.write_text(text.replace(value, value.replace(".", ".9")), encoding="utf-8")
    with pytest.raises(AssertionError):
        check_numbers(card, made)


def test_it_says_what_it_was_told(inside, trained, told, results, tmp_path):
    done = inside("export", trained(), "-o", "out", "--card", told, "--licence", "cc0-1.0", "--results", results()[0])
    assert done.returncode == 0, done.stderr
    card = tmp_path / "out" / "README.md"
    head, read = ModelCard.load(card).data, sections(card)
    assert (head.license, head.library_name, head.model_name) == ("cc0-1.0", "colorize", "little network")
    assert "It is for tests | of cards." in read["Uses"]
    assert all(sentence in read["Uses"] for sentence in (*PROHIBITED, "For anything else."))
    assert all(
        sentence in read["Bias, risks and limitations"] for sentence in (*LIMITS, "It has seen four photographs.")
    )
    assert "![A face that stays grey.](bad.jpg)" in read["Bias, risks and limitations"]
    assert (tmp_path / "out" / "bad.jpg").read_bytes() == (told.parent / "bad.jpg").read_bytes()
    assert table(read["Training data"]) == [{"set": "ours", "licence": "CC0 | 1.0", "photographs": "4"}]
    said = {line.split(" | ")[0].strip("| "): line for line in read["Training"].splitlines()}
    assert " steps of 2 at 32² pixels" in said["samples"]
    assert "a small one" in said["machine"]
    assert "`python train.py experiment=smoke" in said["command"]
    assert str(tmp_path) not in card.read_text(encoding="utf-8")
    assert table(read["Skin"])[0] == {"third": "dark", "network": "9.31", "grey": "12.50"}
    assert "it has no weights here" in read["first"]
    assert colorize.load(tmp_path / "out").state_dict().keys() == colorize.load(trained()).state_dict().keys()


def test_a_card_that_was_told_nothing_says_so(inside, tmp_path):
    colorize.save(CNN(width=0.1, global_size=32), tmp_path / "net")
    assert inside("export", "net", "-o", "out").returncode == 0
    read = sections(tmp_path / "out" / "README.md")
    assert all("Not stated." in read[title] for title in ("Training data", "Training", "Evaluation"))
    assert PROHIBITED[0] in read["Uses"]


@torch.no_grad()
def test_half_precision_takes_half_the_bytes_and_hardly_moves_a_colour(inside, trained, results, tmp_path):
    for words, to in (((), "whole"), (("--half", "--results", *results(half=True)), "half")):
        done = inside("export", trained(), "-o", to, *words)
        assert done.returncode == 0, done.stderr
        assert "before they were rounded" not in (tmp_path / to / "README.md").read_text(encoding="utf-8")
    held = load_file(tmp_path / "half" / "model.safetensors")
    assert {value.dtype for value in held.values() if value.is_floating_point()} == {torch.float16}
    bytes_of = [(tmp_path / to / "model.safetensors").stat().st_size for to in ("half", "whole")]
    assert bytes_of[0] < 0.55 * bytes_of[1]
    L = 100 * torch.rand(1, 1, 32, 32)
    half, whole = (colorize.load(tmp_path / to).colorize(L) for to in ("half", "whole"))
    assert half.dtype == torch.float32
    assert (half - whole).abs().max() < 0.2  # CIE units


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path):
    model = CNN(width=0.1, global_size=32)
    with torch.no_grad():
        model.colour[-2].bias.fill_(1e5)
    with pytest.raises(UserError, match=r"has no numbers for"):
        colorize.save(model, tmp_path / "out", dtype=torch.float16)
    assert not (tmp_path / "out").exists()


def test_a_mistake_gets_one_sentence(inside, trained, told, evaluated, tmp_path):
    other = evaluated("other", weights={"network": {"sha256": "0"}}) + "/results/toy.json"
    for text, message in [
        (DETAILS.replace("limits", "limitz"), "did you mean limits?"),
        (DETAILS.replace("skin.csv", "skim.csv"), "names 'skim.csv', and there is no such file"),
        (DETAILS.replace("caption", "captain"), "each of pictures has file, caption"),
        (DETAILS.replace("[It has", "{It has").replace("photographs.]", "photographs.: 1}"), "limits"),
        ("- a list", "describes no card"),
    ]:
        told.write_text(text)
        done = inside("export", trained(), "-o", "out", "--card", told)
        assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
        assert message in done.stderr
    for words, message in [(("--results", other), "with other weights"), (("--card", "no.yaml"), "there is no file")]:
        done = inside("export", trained(), "-o", "out", *words)
        assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
        assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_cards_of_the_shipped_weights_have_the_numbers_of_their_results():
    """They lie in experiments/release/results/NAME; what else the card is told, in experiments/release/NAME.yaml."""
    for name, folder in shipped_weights().items():
        results = sorted((RELEASE / "results" / name).glob("*.json"))
        assert check_numbers(folder / "README.md", results) > 0
        details, text = read_details(RELEASE / f"{name}.yaml"), (folder / "README.md").read_text(encoding="utf-8")
        for file in (details.data, *(each["file"] for each in details.tables)):
            assert file_table(RELEASE / file) in text


def test_what_the_card_of_the_release_is_told_is_whole():
    details = read_details(RELEASE / "base.yaml")
    assert details.license
    assert details.use
    assert {row["set"].split(",")[0] for row in table(file_table(RELEASE / details.data))} == {
        "caltech101", "demo photographs of colorize", "people_places"
    }  # fmt: skip
