"""ImageNet in every layout that it is handed out in."""

from pathlib import Path

import pytest

from colorize.data import ImageNet
from colorize.utils.errors import UserError
from tests.helpers.data_sets import WNIDS, imagenet_files, write_devkit, write_imagenet


@pytest.mark.parametrize("layout", ["folders", "archives", "kaggle"])
def test_imagenet_is_read_as_it_is_downloaded(tmp_path, layout):
    train, val = imagenet_files()
    data = ImageNet(str(write_imagenet(tmp_path / "in", layout)))
    assert data.classes == list(WNIDS)
    assert {photo.name: photo.read() for photo in data.train} == train
    assert all(WNIDS[photo.label] == photo.name.split("/")[0] for photo in data.train)
    assert {Path(photo.name).name: (WNIDS[photo.label], photo.read()) for photo in data.val} == val


def test_an_unpacked_development_kit_tells_the_classes_too(tmp_path):
    import tarfile

    root = write_imagenet(tmp_path / "in", "archives")
    with tarfile.open(root / "ILSVRC2012_devkit_t12.tar.gz") as tar:
        tar.extractall(root, filter="data")
    (root / "ILSVRC2012_devkit_t12.tar.gz").unlink()
    assert [WNIDS[photo.label] for photo in ImageNet(str(root)).val] == [w for w, _ in imagenet_files()[1].values()]


def test_what_is_missing_of_imagenet_is_named(tmp_path):
    root = write_imagenet(tmp_path / "in", "archives")
    kit = root / "ILSVRC2012_devkit_t12.tar.gz"
    kit.unlink()
    with pytest.raises(UserError, match=r"nothing tells their classes: put ILSVRC2012_devkit_t12.tar.gz"):
        ImageNet(str(root))
    assert len(ImageNet(str(root), labels=False).val) == 6
    write_devkit(kit, [WNIDS[0]] * 5)
    with pytest.raises(UserError, match=r"nothing tells the class of .*ILSVRC2012_val_00000006"):
        ImageNet(str(root))
    (root / "ILSVRC2012_img_val.tar").unlink()
    with pytest.raises(
        UserError, match=r"validation photographs are not in .*looked for val/ and ILSVRC2012_img_val.tar"
    ):
        ImageNet(str(root))
    with pytest.raises(UserError, match="training photographs are not in"):
        ImageNet(str(tmp_path))


def test_a_missing_class_folder_is_named(tmp_path):
    root = write_imagenet(tmp_path / "in", "folders")
    (root / "train" / WNIDS[1]).rename(tmp_path / "gone")
    with pytest.raises(UserError, match=f"class of .*{WNIDS[1]}/.*none of training's 2"):
        ImageNet(str(root))
