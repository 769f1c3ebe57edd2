"""Seeds: what is drawn for a run is a pure function of these keys. A key that is renamed is another run."""

import ast
from inspect import signature

import pytest

from colorize.evaluation.predictors import predictor_of
from colorize.evaluation.validation_set import ValidationSet, black_and_white_squares
from colorize.training.schedule import Phase
from colorize.utils.seeds import seed_of
from tests.helpers.configs import ROOT

SEEDS = {
    (0, "build"): 6073718320282139065,
    (0, "step", 7, 0): 2409930484742756767,
    (0, "all", "order", 1): 7728488614010610756,
    (0, "all", "subset", 0): 7525199151460997275,
    (0, "all", "shards", 1): 6561887975415972251,
    (0, "all", "augment", 0, 3): 3008823019897892345,
    (11, "noise"): 573551097757075596,
    (11, "dropout", "blocks.0.drop"): 6683257555340887844,
    ("evaluate", 5): 6935326723767513449,
    ("historical", 5): 821757000484241224,
    ("bootstrap", 0): 7997267802531003074,
    ("flips", 0): 7897534997095955941,
    (0, "trial", 3): 8862906327076421281,
    ("prepare", 0): 4902330303456381065,
    ("export", 0): 6007391944296027939,
}
# what may stand between a seed and its numbers
WORDS = {word for key in SEEDS for word in key if isinstance(word, str)} - {"all", "blocks.0.drop"}

MAKERS = ("seed_of", "generator_of")
HANDED_ON = {"evaluate", "historical"}  # as an argument, see below


@pytest.mark.parametrize("key", SEEDS, ids=str)
def test_a_key_has_the_seed_that_it_had(key):
    assert seed_of(*key) == SEEDS[key]


def test_every_key_of_the_package_is_in_the_table():
    found = set()
    for path in (ROOT / "colorize").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in MAKERS:
                found |= {a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    assert found | HANDED_ON == WORDS


def test_evaluation_and_validation_draw_by_the_keys_that_they_had():
    assert signature(predictor_of).parameters["key"].default == "evaluate"
    assert ValidationSet([], len).seed == "evaluate"
    assert black_and_white_squares(None, 32, 1).seed == "historical"


def test_the_photographs_of_a_run_come_in_the_order_in_which_they_came():
    draws = Phase(epochs=1, fraction=0.5, redraw_every=2).draws(10, 3, 0, "all")
    assert [next(draws)[0] for _ in range(12)] == [1, 2, 7, 8, 1, 2, 9, 4, 1, 8, 5, 9]
