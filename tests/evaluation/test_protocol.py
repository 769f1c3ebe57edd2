"""Protocols: which photographs they select, and what moves their id."""

import re
import tarfile
from dataclasses import replace

import pytest

from colorize.config import build_part
from colorize.evaluation.selection import select_photographs
from colorize.utils.errors import UserError
from tests.helpers.configs import ROOT, options
from tests.helpers.evaluations import noise, protocol


@pytest.fixture
def imagenet(tmp_path):
    """ImageNet's validation tree in small: twelve of its photographs in two class folders, in no order."""
    for number in (7, 3, 1, 12, 5, 2, 11, 4, 9, 8, 6, 10):
        folder = tmp_path / "imagenet" / "val" / ("n01440764" if number % 2 else "n01443537")
        folder.mkdir(parents=True, exist_ok=True)
        noise(number, 60, 80).save(folder / f"ILSVRC2012_val_{number:08d}.JPEG", quality=95)
    for name in ("n01440764", "n01443537"):
        folder = tmp_path / "imagenet" / "train" / name
        folder.mkdir(parents=True)
        noise(99, 60, 80).save(folder / f"{name}_1.JPEG")
    return tmp_path / "imagenet"


@pytest.mark.parametrize("name", options("protocol"))
def test_every_protocol_is_one(name, config):
    """Composed, made, and named as its file is."""
    cfg = config(f"protocol={name}", "run=x", name="evaluate")
    if name == "coltran-fid5k":
        cfg.protocol.names, cfg.protocol.reference = "list.txt", "demo"
    protocol = build_part(cfg.protocol, "protocol")
    assert protocol.name == name
    beside_papers = name in ("ddcolor-val5k", "ddcolor-val5k-centre", "ct2-val5k", "coltran-fid5k")
    assert protocol.gamut == ("clip" if beside_papers else "chroma")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"geometry": "squash"}, "protocol.geometry is 'squash'; it must be one of centre, stretch, long"),
        ({"filter": "cubic"}, "protocol.filter is 'cubic'; it must be one of bicubic, bilinear, linear, area"),
        ({"input": ["lab_l", "red"]}, "protocol.input is 'red'; it must be one of lab_l, luma, ortho, blue_plate"),
        ({"input": []}, "protocol.input is empty"),
        ({"extractors": ["incepton"]}, "protocol.extractors is 'incepton'; it must be one of inception,"),
        ({"size": 0}, "protocol.size is 0; it must be 1 or more"),
        ({"predict": "half"}, "protocol.predict is 'half'; it must be one of given, trained"),
        ({"truth": "none"}, "protocol.truth=none goes with protocol.reader=black_and_white, and with no other"),
        ({"truth": "none", "reader": "black_and_white", "reference": "paired"}, "have one input, lab_l"),
    ],
)
def test_a_protocol_that_means_nothing(changes, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        protocol(**changes)


def test_every_field_moves_the_id():
    """All but where the photographs lie; ids are how results know each other."""
    plain = protocol().record(5, 5, "m")
    changes = [
        {"size": 33}, {"geometry": "stretch"}, {"filter": "area"}, {"input": ["luma"]}, {"predict": 64},
        {"upsampling": "bilinear"}, {"truth": "lab_roundtrip"}, {"rounding": "truncate"}, {"gamut": "clip"},
        {"reference": "paired"}, {"extractors": ["inception"]}, {"name": "other"}, {"reader": "period"},
    ]  # fmt: skip
    ids = [protocol(**change).record(5, 5, "m")["id"] for change in changes]
    assert len({plain["id"], *ids}) == len(changes) + 1
    assert protocol().record(5, 5, "n")["id"] != plain["id"]
    assert protocol(source="elsewhere").record(5, 5, "m") == plain
    assert protocol().record(4, 5, "m")["id"].startswith("toy-4-of-5-")


def test_the_same_set_in_folders_and_in_a_tar_file(imagenet, tmp_path):
    files = sorted((imagenet / "val").rglob("*.JPEG"), key=lambda path: path.name[::-1])
    with tarfile.open(tmp_path / "any.tar", "w") as tar:
        for path in files:
            tar.add(path, path.name)
    loose = select_photographs(protocol(source=str(imagenet)))
    packed = select_photographs(protocol(source=str(tmp_path / "any.tar")))
    assert loose.manifest == packed.manifest
    assert [photo.read() for photo in loose.photos] == [photo.read() for photo in packed.photos]
    names = [photo.name.rsplit("/", 1)[-1] for photo in loose.photos]
    assert names == [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 13)]


@pytest.mark.parametrize("change", [lambda held: held + b"\0", lambda held: held[:-1] + bytes([held[-1] ^ 1])])
def test_one_byte_more_or_another_byte_is_another_set(change, imagenet):
    """Files of flat pixels (BMP, uncompressed TIFF) all have one size. The reference's photographs count likewise."""
    before = select_photographs(protocol(source=str(imagenet))).manifest
    path = next((imagenet / "val").rglob("*.JPEG"))
    path.write_bytes(change(path.read_bytes()))
    assert select_photographs(protocol(source=str(imagenet))).manifest != before


def test_a_part_of_val5k_is_marked(imagenet, config):
    wanted = build_part(config("protocol=clean-val5k", "run=x", name="evaluate").protocol, "protocol")
    chosen = select_photographs(replace(wanted, source=str(imagenet)))
    assert (len(chosen.photos), chosen.whole) == (12, 5000)
    assert wanted.record(12, 5000, chosen.manifest)["id"].startswith("clean-val5k-12-of-5000-")
    assert chosen.label(chosen.photos[0]) == "n01440764"


def test_a_pinned_manifest(imagenet):
    found = select_photographs(protocol(source=str(imagenet))).manifest
    assert select_photographs(protocol(source=str(imagenet), manifest=found)).manifest == found
    with pytest.raises(UserError, match=f"is not the set of the protocol: its manifest is {found}, and must be abc"):
        select_photographs(protocol(source=str(imagenet), manifest="abc"))


def test_a_list_of_names_gives_the_order(imagenet, tmp_path):
    (tmp_path / "list.txt").write_text("ILSVRC2012_val_00000009\nILSVRC2012_val_00000002.JPEG\nabsent\n")
    chosen = select_photographs(protocol(source=str(imagenet), names=str(tmp_path / "list.txt")))
    assert [int(photo.name[-7:-5]) for photo in chosen.photos] == [9, 2]
    assert chosen.whole == 3


def test_a_short_list_is_no_whole_set(imagenet, tmp_path):
    """Of a protocol that says how many photographs it has; nor is one name 5,000 times, or a folder with too few."""
    (tmp_path / "list.txt").write_text("ILSVRC2012_val_00000009\n" * 5000 + "ILSVRC2012_val_00000002\n")
    short = protocol(source=str(imagenet), names=str(tmp_path / "list.txt"), photographs=5000)
    chosen = select_photographs(short)
    assert (len(chosen.photos), chosen.whole) == (2, 5000)
    assert short.record(2, chosen.whole, "m")["id"].startswith("toy-2-of-5000-")
    folder = select_photographs(protocol(source=str(imagenet), photographs=5000))
    assert (len(folder.photos), folder.whole) == (12, 5000)
    assert select_photographs(protocol(source=str(imagenet), photographs=5)).whole == 12


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"source": None}, "the protocol 'toy' is for any photographs: use source=FOLDER, or demo"),
        ({"source": "run"}, "weights without a run folder have no validation photographs"),
        ({"source": "demo", "names": "ILSVRC2012_val_{:08d}", "photographs": 5},
         "no photograph of the demo photographs held back has a name of the protocol"),
        ({"names": "x_{}"}, "protocol.names is a pattern: set protocol.photographs to the number of files"),
        ({"names": "gone.txt"}, "there is no list of names 'gone.txt'"),
        ({"source": None, "reader": "period"}, "this protocol needs period photographs"),
    ],
)  # fmt: skip
def test_a_set_that_is_not_there(changes, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        select_photographs(protocol(**changes))


def test_ddcolors_two_geometries_differ_in_nothing_else(config):
    """Its code stretches, and its author says that it was cropped."""
    code, author = (
        build_part(config(f"protocol={name}", "run=x", name="evaluate").protocol, "protocol").record(5000, 5000, "m")
        for name in ("ddcolor-val5k", "ddcolor-val5k-centre")
    )
    assert {key for key in code if code[key] != author[key]} == {"id", "name", "geometry", "filter"}
    assert (code["geometry"], code["filter"]) == ("stretch", "linear")
    assert (author["geometry"], author["filter"]) == ("centre", "bilinear")


WORDS = {"inception": "Inception", "clean_fid": "Inception", "dinov2": "DINOv2",
         "efficientnet_lite0": "EfficientNet-Lite0", "mobilenet_v2": "MobileNetV2"}  # fmt: skip


@pytest.mark.parametrize("name", ["validation", "demo", "clean", "historical", "period"])
def test_the_manual_names_the_networks_of_a_protocol(name, config):
    page = (ROOT / "docs/evaluation.md").read_text("utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}`")]
    told = {word for word in WORDS.values() if word in row.split("|")[4]}
    protocol = build_part(config(f"protocol={name}", "run=x", name="evaluate").protocol, "protocol")
    assert told == {WORDS[extractor] for extractor in protocol.extractors}
