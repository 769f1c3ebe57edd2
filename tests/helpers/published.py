"""Published key lists and old photographs, which tests read where they are there."""

import json
import sys

import pytest

from tests.helpers.configs import ROOT

KEYS = ROOT.parent / "shared" / "keys"
PHOTOS = ROOT.parent / "shared" / "photos"
published = pytest.mark.skipif(not KEYS.is_dir(), reason=f"the published key lists are not at {KEYS}")
photographed = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"the old photographs are not at {PHOTOS}")


def two_networks(state):
    split = {part: {k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")}
             for part in ("model", "encoder")}  # fmt: skip
    return {"model_state_dict": split["model"], "encoder_state_dict": split["encoder"]}


@pytest.fixture(scope="session")
def deterministic():
    sys.path.insert(0, str(KEYS))
    import deterministic

    sys.path.remove(str(KEYS))
    return deterministic


@pytest.fixture
def foreign(deterministic):
    """A published file's state by the name of its key list, with the same numbers on any machine."""

    def build(name):
        held = json.loads((KEYS / f"{name}_keys.json").read_text())
        if isinstance(held, dict):
            return deterministic.ddcolor_state([(k["name"], k["shape"], k["dtype"]) for k in held["keys"]])
        return deterministic.state_dict(held)

    return build
