"""Files for other runtimes that are damaged, strangers' or incomplete: one sentence each."""

import json
import sys
from hashlib import sha256

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

import colorize
from colorize.models.onnx_graphs import METADATA
from colorize.utils.errors import UserError

FACTS = {"format": 1, "network": "Mine", "parameters": 1, "usual_size": 64, "fixed_size": None}


def network(facts=FACTS, domain="", height="height", operator="Concat"):
    """L -> (L, L): the smallest network that answers ab."""
    nodes = [helper.make_node(operator, ["L", "L"], ["ab"], domain=domain, axis=1)]
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, height, "width"])
              for name, channels in (("L", 1), ("ab", 2))]  # fmt: skip
    opsets = [helper.make_opsetid("", 20), *([helper.make_opsetid(domain, 1)] if domain else [])]
    proto = helper.make_model(
        helper.make_graph(nodes, "mine", shapes[:1], shapes[1:]), opset_imports=opsets, ir_version=10
    )
    if facts is not None:
        helper.set_model_props(proto, {METADATA: facts if isinstance(facts, str) else json.dumps(facts)})
    return proto


@pytest.fixture
def written(tmp_path):
    def write(proto, name="model.onnx"):
        (tmp_path / name).write_bytes(proto if isinstance(proto, bytes) else proto.SerializeToString())
        return tmp_path / name

    return write


def test_a_file_is_a_colorizer(written):
    model = colorize.load(written(network()))
    L = 100 * torch.rand(2, 1, 5, 7)
    assert torch.equal(model.colorize(L), L.expand(-1, 2, -1, -1))
    assert (model.usual_size, model.stochastic, model.count_parameters()) == (64, False, 1)
    other = colorize.load(written(network({**FACTS, "usual_size": 96}), "other.onnx"))
    assert not torch.equal(model.sha256, other.sha256)  # results tell them apart


@pytest.mark.parametrize(
    ("proto", "words"),
    [
        (b"", "was not written by colorize export"),
        (b"\x00 no network", "is no ONNX file"),
        (network(None), "was not written by colorize export"),
        (network("{"), "metadata of .* do not describe a network"),
        (network({"format": 1}), "metadata of .* do not describe a network"),
        (network({**FACTS, "usual_size": 10**9}), "metadata of .* do not describe a network"),
        (network({**FACTS, "format": 2}), "is of format 2"),
        (network(domain="mine"), "has operators of mine"),
        (network(operator="Concatenate"), "cannot be run by onnxruntime"),
        (network({**FACTS, "sampler": {"levels": [0], "table": [[0, 1, 0, 0]], "ab_scale": 128, "shrink": 1}}),
         "one part of a diffusion model"),
    ],
)  # fmt: skip
def test_what_is_no_export_is_refused_in_one_sentence(proto, words, written):
    with pytest.raises(UserError, match=words) as refused:
        colorize.load(written(proto))
    assert "\n" not in str(refused.value)


def test_weights_in_further_files_are_not_read(written):
    proto = network()
    weight = proto.graph.initializer.add(name="w", dims=[1], data_type=TensorProto.FLOAT)
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")
    with pytest.raises(UserError, match="weights in further files"):
        colorize.load(written(proto))
    constant = network()
    constant.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=weight))
    with pytest.raises(UserError, match="weights in further files"):
        colorize.load(written(constant))


def test_a_size_that_the_network_refuses_is_said(written):
    model = colorize.load(written(network(height=64)))
    assert model.colorize(torch.full((1, 1, 64, 40), 50.0)).shape == (1, 2, 64, 40)
    with pytest.raises(UserError, match=r"takes no input of 1×1×65×40"):
        model.colorize(torch.full((1, 1, 65, 40), 50.0))


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_an_absent_runtime_is_named(package, written, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=f"needs the package {package}: pip install {package}"):
        colorize.load(written(network()))


def test_a_folder_names_its_runtime(written, tmp_path):
    written(network())
    config = {"library_name": "colorize", "format": 1, "network": "Mine", "runtime": "onnx"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert colorize.load(tmp_path).usual_size == 64
    for change, words in [({"runtime": "tflite"}, "this version reads onnx and openvino"), ({"runtime": []}, "reads"),
                          ({"runtime": "openvino"}, "'model.xml' is missing")]:  # fmt: skip
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(UserError, match=words):
            colorize.load(tmp_path)


def test_a_file_that_was_changed_after_its_export_is_refused(written, tmp_path):
    path = written(network())
    config = {"library_name": "colorize", "format": 1, "network": "Mine", "runtime": "onnx"}
    files = {path.name: sha256(path.read_bytes()).hexdigest(), "../paint.py": "0", "of another": 0}
    (tmp_path / "config.json").write_text(json.dumps(config | {"files": files}))
    assert colorize.load(tmp_path).usual_size == 64
    written(network({**FACTS, "usual_size": 96}))
    for source in (tmp_path, path):
        with pytest.raises(UserError, match=r"model.onnx' has been changed since it was exported"):
            colorize.load(source)


def test_openvino_answers_the_same(written, tmp_path):
    openvino = pytest.importorskip("openvino")
    from colorize.models.onnx_export import convert_to_openvino

    path = written(network())
    convert_to_openvino(path, FACTS)
    model = colorize.load(tmp_path / "model.xml")
    L = 100 * torch.rand(2, 1, 5, 7)
    assert np.allclose(model.colorize(L), L.expand(-1, 2, -1, -1))
    openvino.save_model(openvino.Core().read_model(path), tmp_path / "strange.xml")
    with pytest.raises(UserError, match="was not written by colorize export"):
        colorize.load(tmp_path / "strange.xml")
    (tmp_path / "model.xml").write_text("<net>")
    with pytest.raises(UserError, match="cannot be run by OpenVINO"):
        colorize.load(tmp_path / "model.xml")
