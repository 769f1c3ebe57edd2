"""The pages: what is generated in them is up to date, what they point to exists, and every network has its section."""

import re
import runpy
import sys

import pytest

from tests.helpers.configs import ROOT, SMALL

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "experiments").glob("*/README.md"))]


def test_the_generated_parts_are_up_to_date(monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "docs")
    monkeypatch.setattr(sys, "argv", ["build.py", "--check"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "docs" / "build.py"), run_name="__main__")
    assert ended.value.code == 0, capsys.readouterr().err


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("name", SMALL)
def test_every_network_has_its_section_and_its_figure(name):
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    _, _, section = text.partition(f"\n## `model={name}`\n")
    section = section.split("\n## ")[0]
    for part in ("figures/", "### How it is trained", "### What contradicts what", "### Published weights"):
        assert part in section, part
