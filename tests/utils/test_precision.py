"""float32 or bfloat16: by the user, by the device, or by a probe whose answer is kept."""

import json

import pytest
import torch

from colorize.utils import precision
from colorize.utils.precision import Precision, Probe, autocast, choose_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def clock(monkeypatch, tmp_path):
    """Seconds of a photograph in each precision, by which a pretended pass takes its time; the probes taken."""
    monkeypatch.setenv("COLORIZE_CACHE", str(tmp_path))
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    clock = {"now": 0.0, "float32": 0.1, "bfloat16": 0.1, "counts": []}
    monkeypatch.setattr(precision, "perf_counter", lambda: clock["now"])
    return clock


def probe(clock, photographs=4, passes=1000, parameters=10**7, **key):
    def take_pass(count, context):
        with context:
            name = "bfloat16" if torch.is_autocast_enabled("cpu") else "float32"
        clock["now"] += count * clock[name]
        clock["counts"].append(count)

    return Probe(take_pass, photographs, passes, parameters, {"network": "toy", **key})


@pytest.mark.parametrize(
    ("seconds", "chosen"), [(0.05, "bfloat16"), (0.094, "bfloat16"), (0.096, "float32"), (0.15, "float32")]
)
def test_bfloat16_has_to_be_faster_by_a_margin(clock, seconds, chosen):
    clock["bfloat16"] = seconds
    found = choose_precision("auto", CPU, probe(clock))
    assert (found.chosen, found.by) == (chosen, "probe")
    assert found.seconds == pytest.approx({"float32": 0.1, "bfloat16": seconds})
    assert found.dtype == getattr(torch, chosen)
    assert chosen in found.notes("training")[0]


def test_one_slow_pass_decides_nothing(clock):
    clock["bfloat16"] = 0.05
    measured = probe(clock)

    def disturbed(count, context):
        measured.take_pass(count, context)
        clock["now"] += 50 * (len(clock["counts"]) == 10)  # one in bfloat16, after the warm-up

    assert choose_precision("auto", CPU, Probe(disturbed, 4, 1000, 10**7, {})).chosen == "bfloat16"


def test_a_probe_takes_seconds(clock):
    """Many short passes, or few photographs of a long one; never one alone, which a batch norm refuses."""
    clock |= {"float32": 0.001, "bfloat16": 0.001}
    probe(clock).answer()
    assert clock["now"] < 1
    assert clock["counts"].count(4) == 2 + 2 * precision.MOST
    clock |= {"now": 0.0, "float32": 0.5, "bfloat16": 0.5, "counts": []}
    probe(clock, photographs=64).answer()
    assert clock["now"] < 2 * precision.LONGEST
    assert set(clock["counts"]) == {2, 4}
    clock["counts"] = []
    probe(clock, photographs=1).answer()
    assert set(clock["counts"]) == {1}


def test_without_hardware_or_for_little_work_nothing_is_measured(clock, monkeypatch):
    assert choose_precision("auto", CPU, probe(clock, passes=precision.PASSES - 1)) == Precision("float32", "length")
    assert choose_precision("auto", CPU, probe(clock, parameters=10**5)) == Precision("float32", "size")
    assert choose_precision("auto", CPU) == Precision("float32", "device")
    assert choose_precision("bfloat16", CPU, probe(clock)) == Precision("bfloat16", "config")
    monkeypatch.setattr(precision, "has_bfloat16", lambda: False)
    assert choose_precision("auto", CPU, probe(clock)) == Precision("float32", "device")
    assert not clock["counts"]
    assert Precision("float32", "device").notes("training") == []


def test_an_answer_is_kept_for_its_processor_network_and_threads(clock, monkeypatch):
    clock["bfloat16"] = 0.05
    first = choose_precision("auto", CPU, probe(clock))
    clock["bfloat16"] = 0.2
    assert choose_precision("auto", CPU, probe(clock)) == Precision("bfloat16", "cache", first.seconds)
    assert choose_precision("auto", CPU, probe(clock, use="painting")).chosen == "float32"
    assert choose_precision("auto", CPU, probe(clock, photographs=3)).chosen == "float32"
    for name, other in (("processor", "another"), ("own_version", "0.0.0")):
        with monkeypatch.context() as patch:
            patch.setattr(precision, name, lambda other=other: other)
            assert choose_precision("auto", CPU, probe(clock)).by == "probe"
    with monkeypatch.context() as patch:
        patch.setattr("torch.get_num_threads", lambda: 77)
        assert choose_precision("auto", CPU, probe(clock)).by == "probe"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"seconds": 1}', "nan", "bool"])
def test_a_damaged_answer_is_measured_again_and_said(clock, tmp_path, capsys, damage):
    choose_precision("auto", CPU, probe(clock))
    (file,) = (tmp_path / "precision").glob("*.json")
    held = json.loads(file.read_text())
    words = {"nan": float("nan"), "bool": True}
    if damage in words:
        damage = json.dumps(held | {"seconds": {"float32": words[damage], "bfloat16": 1.0}})
    file.write_text(damage)
    assert choose_precision("auto", CPU, probe(clock)).by == "probe"
    assert "is damaged: which precision is the faster one is measured again" in capsys.readouterr().out
    assert choose_precision("auto", CPU, probe(clock)).by == "cache"


def test_a_probe_without_memory_gives_float32_and_says_so(clock, capsys):
    def take_pass(count, context):
        raise MemoryError

    assert choose_precision("auto", CPU, Probe(take_pass, 4, 1000, 10**7, {})) == Precision("float32", "memory")
    assert "memory ran out" in capsys.readouterr().out


def test_bfloat16_is_not_emulated(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation=True: including_emulation)
    assert choose_precision("auto", GPU).chosen == "float32"  # a card before Ampere
    assert choose_precision("bfloat16", GPU).chosen == "bfloat16"
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda including_emulation=True: True)
    assert choose_precision("auto", GPU) == Precision("bfloat16", "device")


def test_float32_leaves_autocast_as_it_is():
    with torch.autocast("cpu", torch.bfloat16), autocast("cpu", torch.float32):
        assert torch.is_autocast_enabled("cpu")
