"""Published key lists and old photographs, which tests read where they are there."""

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
