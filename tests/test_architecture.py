"""The plan of the package: which folder may import which, how large a file may be, and what its name may be.

The numbers are the data below. A change that adds a capability may raise a count by what it needs: give the reason
beside the number.
"""

import ast
import configparser
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "colorize"

# A module imports from lower levels and from its own folder. "" is `colorize/__init__.py`.
LEVELS = {
    "utils": 1,
    "config": 2, "imaging": 2, "tracking": 2,
    "batch": 3, "run_folder": 3, "data": 3,
    "models": 4, "sweeps": 4,
    "losses": 5, "metrics": 5, "": 5,
    "evaluation": 6,
    "training": 7, "reports": 7,
    "cli": 8,
    "__main__": 9,
}  # fmt: skip
FOLDERS = {
    "utils", "imaging", "tracking", "data", "models", "sweeps", "losses", "metrics", "evaluation", "training",
    "reports", "cli",
}  # fmt: skip
LOOSE = {"__init__", "__main__", "config", "run_folder", "batch"}
# 150 after the move; then one each for final evaluations, the set-up of an evaluation, comparisons, validation sets,
# published files, the gamut and pictures that were painted elsewhere, two for people as judges (verb, choices),
# two for colour as a class (head, loss term), four for weights by name and model cards (two verbs, names, card),
# two for pictures of 16 bits and cameras' raw files, five for files that archives keep (marks,
# records, verb, page, IIIF), five for guided colour (hints, guidance, reference, confidence, options),
# six for the page for people with photographs (verb, page, its settings and results, sessions, their files),
# one for the size of a prediction, one for signatures of painted files, one for overrides with several values,
# four for training (parts of a run, averages of several lengths, its speed, FLOPs), three for precision,
# two for folders that are painted in a pipeline (a photograph's stages, and those of several),
# three that are imported before anything slow, so that --help takes no seconds (options, choices, Hydra apart),
# one for DDColor's files, read and written,
# seven for exports without PyTorch (ONNX, its modules and runtimes, its program that paints, int8, what that costs, the
# verb's part)
MODULES = 207
LINES_OF_A_MODULE = 250
LINES_OF_A_FUNCTION = 40
PROGRAM, LINES_OF_A_PROGRAM = PACKAGE / "models" / "onnx_paint.py", 300  # which exports hold as one file
# The field's own words, of which each folder may have one
SHARED_NAMES: set[str] = {"Colorfulness", "build", "check", "load"}
# Targets that are no choice among others: the record that every config has one of
KINDS = (
    "colorize.losses.Loss", "colorize.evaluation.Protocol", "colorize.training.optimizers.Optimizers",
    "colorize.training.schedule.Phase", "colorize.training.TrainerSettings",
)  # fmt: skip
# What stands in one module alone, so that there is one place to look for it
ONCE = ("<!doctype", "data:image", "urlopen", "hydra._internal", "argparse.ArgumentParser(")


def name_of(path: Path) -> str:
    """`models.cnn` for colorize/models/cnn.py, and `models` for colorize/models/__init__.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts if parts == ("__init__",) or parts[-1] != "__init__" else parts[:-1]).replace("__init__", "")


@cache
def modules() -> dict[str, ast.Module]:
    return {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def imports() -> dict[str, set[str]]:
    """Module -> the modules of ours that it imports, wherever the statement stands."""
    found: dict[str, set[str]] = {}
    for name, tree in modules().items():
        found[name] = set()
        for node in ast.walk(tree):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{name} has a relative import"
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("colorize."):
                of = (node.module or "").removeprefix("colorize").removeprefix(".")
                for alias in node.names:
                    whole = f"{of}.{alias.name}".removeprefix(".")
                    found[name].add(whole if whole in modules() else of)
            elif isinstance(node, ast.Import):
                words = [alias.name for alias in node.names if f"{alias.name}.".startswith("colorize.")]
                found[name] |= {word.removeprefix("colorize").removeprefix(".") for word in words}
        found[name].discard(name)
    return found


def top(name: str) -> str:
    return name.split(".")[0]


def test_there_are_no_folders_and_loose_modules_but_those_of_the_plan():
    assert {path.parent.name for path in PACKAGE.glob("*/*.py")} == FOLDERS
    assert {path.stem for path in PACKAGE.glob("*.py")} == LOOSE
    assert not list(PACKAGE.glob("*/*/*.py"))
    assert len(modules()) <= MODULES


def test_imports_go_downwards():
    wrong = [
        f"{name} imports {other}"
        for name, others in imports().items()
        for other in sorted(others)
        if top(name) != top(other) and LEVELS[top(other)] >= LEVELS[top(name)]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_two_files_need_each_other():
    graph, done = imports(), set()

    def follow(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for other in sorted(graph[name]):
                follow(other, (*path, name))
            done.add(name)

    for name in graph:
        # a folder's face imports its modules, and its modules may not import the face
        follow(name, ())


def test_files_and_functions_are_short():
    long = []
    for path in [*sorted(PACKAGE.rglob("*.py")), *sorted((ROOT / "tests").rglob("*.py"))]:
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        most = LINES_OF_A_PROGRAM if path == PROGRAM else LINES_OF_A_MODULE
        long += [f"{path.relative_to(ROOT)}: {lines} lines"] * (lines > most)
        for node in ast.walk(ast.parse(text)) if PACKAGE in path.parents else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                long += [f"{path.relative_to(ROOT)}: {node.name} {lines} lines"] * (lines > LINES_OF_A_FUNCTION)
    assert not long, "\n".join(long)


def test_faces_only_hand_names_on():
    for name, tree in modules().items():
        if name in FOLDERS:
            assert all(isinstance(node, ast.Expr | ast.ImportFrom | ast.Import | ast.Assign) for node in tree.body), (
                name
            )


def public(tree: ast.Module) -> set[str]:
    kinds = ast.FunctionDef | ast.ClassDef
    return {node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")}


def test_a_public_name_is_defined_once():
    where = defaultdict(list)
    for name, tree in modules().items():
        for definition in public(tree):
            where[definition].append(name)
    twice = {name: places for name, places in where.items() if len(places) > 1 and name not in SHARED_NAMES}
    assert not twice, "\n".join(f"{name}: {', '.join(places)}" for name, places in sorted(twice.items()))
    assert len(SHARED_NAMES) < 10


def test_a_file_is_called_by_a_word_of_the_glossary():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    glossary = set(re.findall(r"^\| `(\w+)` \|", text.partition("## Glossary")[2], re.MULTILINE))
    names = {name.split(".")[-1] for name in modules() if "." in name}
    assert not names - glossary, f"explain in the glossary, or rename: {sorted(names - glossary)}"
    assert not glossary - names - LOOSE, f"no file is called so: {sorted(glossary - names - LOOSE)}"


@pytest.mark.parametrize("text", ONCE)
def test_it_stands_in_one_module(text):
    files = [path for path in sorted(PACKAGE.rglob("*")) if path.suffix in (".py", ".j2")]
    assert len(found := [path.name for path in files if text in path.read_text(encoding="utf-8")]) <= 1, found


def targets() -> set[str]:
    """Every `_target_` of ours in conf/."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "conf").rglob("*.yaml")]
    return {word for text in texts for word in re.findall(r"_target_: *(colorize\.[\w.]+)", text)}


def defined_in(target: str) -> str | None:
    """The module that defines what a `_target_` names, by the imports of the face that hands it on."""
    of, _, name = target.removeprefix("colorize.").rpartition(".")
    if of not in modules():
        return None
    if name in {getattr(node, "name", "") for node in modules()[of].body}:
        return of
    for node in modules()[of].body:
        if isinstance(node, ast.ImportFrom) and name in [alias.asname or alias.name for alias in node.names]:
            return defined_in(f"{node.module}.{name}")
    return None


def test_what_the_configs_name_is_there():
    assert targets()
    assert not [target for target in targets() if defined_in(target) is None]


def test_no_module_names_a_part_outside_its_folder():
    """What a part is follows from its class, so that a user's own is treated alike."""
    parts = {(defined_in(target), target.rpartition(".")[2]) for target in targets()} - {
        (defined_in(target), target.rpartition(".")[2]) for target in KINDS
    }
    wrong = []
    for name, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("colorize."):
                of = (node.module or "").removeprefix("colorize.")
                for alias in node.names:
                    home = defined_in(f"colorize.{of}.{alias.name}")
                    if (home, alias.name) in parts and top(name) != top(home or ""):
                        wrong.append(f"{name} imports {alias.name} of {home}")
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_setup_cfg_lists_the_packages():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = setup["options"]["packages"].split()
    assert sorted(listed) == sorted({"colorize", "colorize.conf", *(f"colorize.{folder}" for folder in FOLDERS)})


def test_the_tests_lie_where_their_subjects_do():
    """A folder of tests for each folder of the package, and those of docs/testing.md for what has none."""
    tests = ROOT / "tests"
    folders = {path.parent.name for path in tests.glob("*/test_*.py")}
    assert folders == FOLDERS | {"contracts", "faults", "system"}
    assert {path.name for path in tests.glob("*.py")} == {"__init__.py", "conftest.py", Path(__file__).name}


def test_every_folder_has_a_level():
    assert {top(name) for name in modules()} == set(LEVELS)
