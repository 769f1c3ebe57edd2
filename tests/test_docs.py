"""The pages: what is generated in them is up to date, what they point to exists, and every network has its section."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT, options

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "experiments").glob("*/README.md"))]


def test_the_generated_parts_are_up_to_date():
    words = [sys.executable, ROOT / "docs" / "build.py", "--check"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("name", options("model"))
def test_every_network_has_its_section_and_its_figure(name):
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    _, _, section = text.partition(f"\n## `model={name}`\n")
    section = section.split("\n## ")[0]
    for part in ("figures/", "### How it is trained", "### What contradicts what", "### Published weights"):
        assert part in section, part
