"""Links that lead in a circle: whoever opens one is told so in a sentence."""

import pytest

CIRCLES = ("circle.jpg", "circle", "run/results")
SCORES = ("run=run", "metrics=quick", "table=false")
COMMANDS = [
    ("plates", "circle.jpg", "-o", "out"), ("plates", "circle", "-o", "out"), ("plates", "circle.jpg", "-o", "circle"),
    ("paint", "circle.jpg", "-w", "run", "-o", "out"), ("train", "--config-dir=circle"),
    ("evaluate", *SCORES, "protocol=clean", "source=circle.jpg"), ("evaluate", *SCORES, "protocol=validation"),
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_link_that_leads_in_a_circle_is_named(words, inside, run_folder, tmp_path):
    run_folder("cnn", "l1", to="run")
    for name in CIRCLES:
        (tmp_path / name).symlink_to((tmp_path / name).name)
    done = inside(*words)
    assert done.returncode in (1, 2), done.stderr
    assert any(name in done.stderr for name in CIRCLES), done.stderr
