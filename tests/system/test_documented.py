"""The commands of the pages: each has a row in helpers/documented.py; the slow test runs them in their order."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.configs import BIN, ROOT
from tests.helpers.data_sets import write_imagenet
from tests.helpers.documented import HOW, PAGES, Elsewhere, Run, commands, how, own_parts
from tests.helpers.published import KEYS
from tests.helpers.wandb_boards import BoardServer

PHOTOGRAPHS = sorted((ROOT / "colorize" / "data" / "photos").glob("*.jpg"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_has_a_row(page):
    for command in commands(page):
        row = how(command)
        if isinstance(row, Elsewhere) and row.where.endswith(".py"):
            assert (ROOT / "tests" / row.where).is_file(), row.where


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_fence_is_one_that_is_read(page):
    """A command in a fence of another kind would not be tried."""
    lines = page.read_text(encoding="utf-8").splitlines()
    fences = [line for line in lines if line.lstrip().startswith(("```", "~~~"))][::2]
    assert set(fences) <= {"```bash", "```bat", "```python", "```yaml"}


def test_every_row_has_a_command():
    written = {command for page in PAGES for command in commands(page)}
    assert not set(HOW) - written


def some_photographs(home: Path) -> None:
    """What the pages call photos, scans and so on, made of the package's photographs."""
    for name, chosen in (("photos/a", PHOTOGRAPHS[:12]), ("photos/b", PHOTOGRAPHS[12:24]),
                         ("my photos [1920]", PHOTOGRAPHS[24:36]), ("held-back", PHOTOGRAPHS[36:42]),
                         ("test_photos", PHOTOGRAPHS[42:54]),
                         ("scans", sorted((ROOT / "colorize" / "data" / "historical").glob("*.jpg"))[:2])):  # fmt: skip
        (home / name).mkdir(parents=True)
        for path in chosen:
            shutil.copy(path, home / name)
    shutil.copy(PHOTOGRAPHS[0], home / "a.jpg")
    hints = Image.new("RGBA", Image.open(PHOTOGRAPHS[0]).size)
    hints.putpixel((10, 10), (180, 40, 40, 255))
    hints.save(home / "hints.png")
    rgb = np.asarray(Image.open(PHOTOGRAPHS[1]).convert("RGB").resize((96, 96)))
    (home / "plate-scans").mkdir()
    Image.fromarray(np.concatenate([rgb[..., channel] for channel in (2, 1, 0)])).save(home / "plate-scans" / "p.png")


def some_parts(home: Path) -> None:
    """The package of docs/extending.md, and the lists of names that its data source reads."""
    for name, text in own_parts().items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    names = sorted(path.relative_to(home / "photos").as_posix() for path in (home / "photos").rglob("*.jpg"))
    for file, some in (("train.txt", names[:18]), ("val.txt", names[18:])):
        (home / "photos" / file).write_text("\n".join(some))


def some_weights(home: Path, environment: dict[str, str], state: dict[str, torch.Tensor]) -> None:
    """DDColor-T as a file, and as the hub's client keeps it once it was fetched."""
    torch.save({"params": state}, home / "ddcolor_tiny.pth")
    kept = home / "hub" / "models--piddnad--ddcolor_paper_tiny"
    (kept / "snapshots" / "0").mkdir(parents=True)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text("0")
    shutil.copy(home / "ddcolor_tiny.pth", kept / "snapshots" / "0" / "pytorch_model.bin")
    environment["HF_HUB_CACHE"] = str(home / "hub")


@pytest.mark.slow
@pytest.mark.skipif(not KEYS.is_dir(), reason=f"the published key lists are not at {KEYS}")
def test_the_commands_work_in_their_order(tmp_path, foreign):
    home = tmp_path / "colorize"
    shutil.copytree(ROOT, home, ignore=shutil.ignore_patterns(".git", ".venv", "outputs", "__pycache__", "*.egg-info"))
    server = BoardServer()
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(home)}
    some_photographs(home)
    some_parts(home)
    write_imagenet(home / "imagenet", "folders")
    some_weights(home, environment, foreign("ddcolor_tiny"))
    failed = {}
    rows = {command: how(command) for page in PAGES for command in commands(page)}
    for command, row in rows.items():
        if not isinstance(row, Run):
            continue
        line = f"{command.replace(*row.instead) if row.instead[0] else command}"
        head, redirected, file = line.partition(" > ")
        online = server.environment() | {"WANDB_MODE": "online"} if "wandb" in row.needs else {}
        done = subprocess.run(
            ["bash", "-c", f"{head} {row.more}{redirected}{file}"], cwd=home, env=environment | online,
            capture_output=True, text=True, timeout=1200, check=False,
        )  # fmt: skip
        if done.returncode:
            failed[command] = done.stderr[-800:]
        print(
            f"{'failed' if done.returncode else 'ok'}: {command}", flush=True
        )  # it takes minutes: -s shows where it is
    server.stop()
    assert not failed, "\n\n".join(f"{command}\n{said}" for command, said in failed.items())
