"""The pages: what is generated in them is up to date, what they point to exists, and every network has its section."""

import ast
import inspect
import re
import runpy
import sys
import textwrap
from pathlib import Path

import pytest

import colorize
import colorize.models
from tests.helpers.configs import ROOT, SMALL

PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "experiments").glob("*/README.md")),
]


def test_the_generated_parts_are_up_to_date(monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT / "docs")
    monkeypatch.setattr(sys, "argv", ["build.py", "--check"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "docs" / "build.py"), run_name="__main__")
    assert ended.value.code == 0, capsys.readouterr().err


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page in links."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page):
    for target, _, anchor in re.findall(r"\]\(([^)#\s]*)(#?)([^)\s]*)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://")):
            other = page.parent / target if target else page
            assert other.exists(), target
            assert not anchor or anchor in anchors(other), f"{target}#{anchor}"


def test_the_index_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert not [page.name for page in PAGES if page.parent == ROOT / "docs" and f"({page.name})" not in index
                and page.name != "README.md"]  # fmt: skip


def test_the_readme_is_a_page():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 130


def test_the_public_api_is_as_its_page_says():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").replace("\\|", "|")
    found = re.findall(r"^\| `(\w+)\.(\w+)\((.*)\) -> ", page, re.M)
    assert len(found) >= 6
    for owner, name, arguments in found:
        function = getattr(colorize if owner == "colorize" else getattr(colorize.models, owner), name)
        written = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].args
        written.args = [each for each in written.args if each.arg != "self"]
        said = ast.parse(f"def said({arguments}): ...").body[0].args
        assert ast.unparse(said) == ast.unparse(written), name


@pytest.mark.parametrize("name", SMALL)
def test_every_network_has_its_section_and_its_figure(name):
    text = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    _, _, section = text.partition(f"\n## `model={name}`\n")
    section = section.split("\n## ")[0]
    for part in ("figures/", "### How it is trained", "### What contradicts what", "### Published weights"):
        assert part in section, part
