"""The smallest commands, and what is looked for in what they print and write."""

import json

from tests.helpers.configs import tiny_words

SMOKE = ("train.py", *tiny_words("cnn", "l1"))
PLAIN = ("experiment=smoke", "tracker=none", "loss=l1", "model=cnn")  # to which any words may be added
NAME = "smoke-cnn-l1-demo-s0"  # its folder in outputs/


def refused(done, *parts):
    """One sentence on stderr, no traceback, a non-zero exit status."""
    assert done.returncode not in (0, None)
    assert "Traceback" not in done.stderr + done.stdout
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    for part in parts:
        assert part in lines[0], lines[0]


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
