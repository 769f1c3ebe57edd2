"""torch.compile: the same losses as without it, stopped, gone on with and evaluated like any run.

The gate traces the network as torch.compile does and runs the trace; what inductor and a C++ compiler make of it takes
a minute or two when it is made first, and is for --slow.
"""

import json
import shutil
from functools import partial

import pytest
import torch
from torch._dynamo.utils import counters
from torch._inductor import config as inductor

from tests.helpers.configs import options, own_loss, tiny_words
from tests.helpers.trainers import Record, cut_in_two, trainer_of

compiler = pytest.mark.skipif(not shutil.which("gcc"), reason="there is no C++ compiler, which inductor needs")


@pytest.fixture(params=["eager", pytest.param("inductor", marks=[pytest.mark.slow, compiler])])
def graphs(request, monkeypatch):
    """How many programs torch.compile has made so far, of the network or of a part of it."""
    if request.param == "eager":
        monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    return lambda: counters["stats"]["unique_graphs"]


def test_a_compiled_run_cut_in_two_ends_where_the_whole_run_ends(graphs, small, tmp_path):
    words = ("loss=l1", "checkpoint.every=100")
    plain, heard_plain = trainer_of(small("cnn", *words), tmp_path / "plain"), Record()
    plain.fit(heard_plain)
    cfg, before = small("cnn", *words, "trainer.compile=true"), graphs()
    whole, heard = trainer_of(cfg, tmp_path / "whole"), Record()
    assert whole.fit(heard)
    assert graphs() > before
    cut_in_two(cfg, tmp_path / "cut", whole, heard)
    losses = [
        [values["train/loss"] for _, values in lines.lines if "train/loss" in values] for lines in (heard, heard_plain)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)  # with two photographs, batch norm blows rounding up


def first_step(cfg, folder):
    """The loss and the gradients of a run's first step."""
    trainer, gradients = trainer_of(cfg, folder), {}
    name = next(iter(trainer.schedule))
    trainer.start_phase(name)
    for key, parameter in trainer.model.named_parameters():
        parameter.register_post_accumulate_grad_hook(lambda p, key=key: gradients.update({key: p.grad.clone()}))
    values = trainer.train_step(next(trainer.step_batches(name, 0)))
    return values["loss"], gradients


@pytest.mark.parametrize(
    "model", [pytest.param(each, marks=[pytest.mark.slow] * (each == "multicolor")) for each in options("model")]
)
def test_a_compiled_step_is_the_plain_one(model, graphs, small, tmp_path):
    """Of one program, but for the diffusion model, whose noise each photograph's own generator draws."""
    words = (f"loss={own_loss(model)}", "trainer.batch_size=4")
    loss, gradients = first_step(small(model, *words), tmp_path / "plain")
    torch._dynamo.reset()
    counters.clear()
    with inductor.patch(fallback_random=True):  # the same numbers as eager
        compiled_loss, compiled = first_step(small(model, *words, "trainer.compile=true"), tmp_path / "compiled")
    breaks = sum(counters["graph_break"].values())
    assert (graphs() - 1, breaks) == (1, 0) or model == "diffusion"  # one is of `check_compiler`
    assert compiled_loss == pytest.approx(loss, rel=1e-5)
    assert compiled.keys() == gradients.keys()
    apart, whole = (torch.cat([g.flatten() for g in each]) for each in (
        [compiled[key] - gradients[key] for key in gradients], gradients.values()))  # fmt: skip
    assert apart.norm() <= 1e-5 * whole.norm()


@pytest.mark.slow
@pytest.mark.usefixtures("graphs")
def test_a_compiled_run_is_evaluated(inside, tmp_path):
    done = inside("train", *tiny_words("cnn", "l1"), "trainer.compile=true", "name=run")
    assert done.returncode == 0, done.stderr
    done = inside("evaluate", "run=outputs/run", "checkpoint=last", "metrics=quick")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "outputs/run/results/validation.json").read_text())
    summary = json.loads((tmp_path / "outputs/run/summary.json").read_text())
    assert result["rows"]["model"]["psnr"]["value"] == pytest.approx(summary["val"]["psnr"], rel=1e-4)
