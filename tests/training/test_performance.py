"""What a run says of its speed changes nothing else: FLOPs, utilization, the profile of a few steps."""

import gzip
import json
from contextlib import nullcontext

import pytest
import torch

from colorize.training.performance import StepFlops
from colorize.utils.devices import copy_to_cpu
from colorize.utils.flops import StepFlopCounter, flop_counter, matrix_product_rate
from tests.helpers.configs import options
from tests.helpers.trainers import Record, same, trainer_of

QUICK = ("metrics=quick", "evaluate.photographs=2", "evaluate.judges.train_slice=false")


class Everything(Record):
    """Keeps the times too."""

    def scalars(self, values, step):
        super().scalars(values, step)
        self.times = getattr(self, "times", []) + [values] * ("lr" in values)


def test_operations_of_a_layer_by_hand():
    """Two to a multiply-accumulate; its backward pass takes twice as many, but for the picture's own gradient."""
    layer, picture = torch.nn.Conv2d(3, 8, 3, padding=1), torch.randn(2, 3, 16, 16)
    with flop_counter() as torchs, StepFlopCounter() as ours:
        layer(picture).sum().backward()
    assert torchs.get_total_flops() == ours.total == 2 * 2 * (2 * 8 * 16 * 16) * (3 * 9)


@pytest.mark.parametrize("model", options("model"))
def test_counting_changes_no_bit_and_finds_what_torch_does(model, small, tmp_path):
    trainer = trainer_of(small(model), tmp_path)
    trainer.start_phase("all")
    batches = next(trainer.step_batches("all", 0))
    start = [copy_to_cpu(state.module.state_dict()) for state in trainer.train_states.values()]
    ends, counts = [], []
    for counter in (nullcontext(), StepFlopCounter(), flop_counter()):
        for state, held in zip(trainer.train_states.values(), start, strict=True):
            state.module.load_state_dict(held)
            state.optimizer.state.clear()
        torch.manual_seed(0)
        with counter:
            values = trainer.optimizer_step(batches, trainer.weights["all"], 1.0, 1)
        ends.append((values, copy_to_cpu(trainer.model.state_dict())))
        counts.append(counter)
    assert same(ends[0], ends[1])
    assert counts[1].total == counts[2].get_total_flops() > 0


def test_each_kind_of_step_is_counted_once():
    flops = StepFlops(torch.device("cpu"), torch.float32)
    for size, kind in ((8, "small"), (8, "small"), (16, "large")):
        with flops.counted(kind):
            torch.ones(size, size) @ torch.ones(size, size)
    assert flops.counts == {("small",): 2 * 8**3, ("large",): 2 * 16**3}
    rate = matrix_product_rate(torch.device("cpu"), torch.float32)
    assert flops.read(0.5) == {
        "perf/tflops": pytest.approx(2 * 2 * 16**3 / 1e12, rel=1e-3),
        "perf/mfu": pytest.approx(2 * 2 * 16**3 / rate, rel=1e-3),
    }


def test_a_run_logs_its_operations_a_second(small, tmp_path):
    heard = Everything()
    trainer = trainer_of(small("gan_unet", "loss=pix2pix"), tmp_path)
    trainer.fit(heard)
    for values in heard.times:
        seconds = trainer.effective_batch / values["images_per_second"]
        (count,) = trainer.flops.counts.values()
        assert values["perf/tflops"] * 1e12 * seconds == pytest.approx(count, rel=0.01)
        assert 0 < values["perf/mfu"] < 1.5


def test_a_profile_is_written_and_changes_nothing(small, tmp_path, capsys):
    cfg = small("cnn", "loss=l1", "schedule.all.steps=16", "evaluate.every=16", *QUICK)
    plain, profiled = Record(), Record()
    trainer_of(cfg, tmp_path / "plain").fit(plain)
    capsys.readouterr()
    cfg.trainer.profile = True
    trainer_of(cfg, tmp_path / "profiled").fit(profiled)
    assert profiled.lines == plain.lines
    said = capsys.readouterr().out
    assert "a profile of 10 steps" in said
    trace = json.loads(gzip.decompress((tmp_path / "profiled" / "profile" / "trace.json.gz").read_bytes()))
    steps = {each["name"] for each in trace["traceEvents"] if str(each.get("name")).startswith("ProfilerStep#")}
    assert steps == {f"ProfilerStep#{number}" for number in range(4, 14)}
    table = (tmp_path / "profiled" / "profile" / "operations.txt").read_text()
    assert "aten::mkldnn_convolution" in table
    assert "Self CPU" in table


@pytest.mark.parametrize(("steps", "told"), [(4, "only 4 were taken"), (7, "a profile of 3 steps")])
def test_a_run_that_is_too_short_for_a_profile_says_so(steps, told, small, tmp_path, capsys):
    words = (*QUICK, "evaluate.every=100", "trainer.profile=true", f"schedule.all.steps={steps}")
    trainer_of(small("cnn", "loss=l1", *words), tmp_path).fit(Record())
    assert told in capsys.readouterr().out
    assert (tmp_path / "profile" / "operations.txt").exists() == (steps > 4)
