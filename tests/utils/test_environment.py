"""How threads wait is settled before torch is loaded, by every way to start a program, and only there."""

import json
import os
import subprocess
import sys

import pytest

from colorize.utils.environment import SPINS, wait_passively
from tests.helpers.configs import BIN, ROOT

STARTS = {
    "train.py": [ROOT / "train.py"],
    "evaluate.py": [ROOT / "evaluate.py"],
    "compare.py": [ROOT / "compare.py"],
    "the console command": [BIN / "colorize", "paint"],
    "the module": ["colorize", "sync"],
}
# Runs a program as Python would, with verbs that only tell what a verb finds
TELL = f"""
import json, os, runpy, sys
import colorize.cli.app as cli
assert not {set(SPINS)} & os.environ.keys(), "importing the package sets something"
def tell(words):
    print(json.dumps([{{name: os.environ.get(name) for name in {set(SPINS)}}}, "torch" in sys.modules]))
    return 0
cli.call_verb = lambda name, words: tell(words)
del sys.argv[0]
run = runpy.run_path if os.path.isabs(sys.argv[0]) else runpy.run_module
run(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("start", STARTS)
def test_every_program_waits_passively_from_the_start(start):
    environment = {name: value for name, value in os.environ.items() if name not in SPINS}
    words = [sys.executable, "-c", TELL, *STARTS[start]]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [SPINS, False]


@pytest.mark.parametrize("said", ["GOMP_SPINCOUNT", "KMP_BLOCKTIME", "OMP_WAIT_POLICY", "KMP_LIBRARY"])
def test_what_the_environment_says_holds(said, monkeypatch):
    for name in SPINS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(said, "ours")
    before = dict(os.environ)
    wait_passively()
    assert dict(os.environ) == before
