"""What commands compose to check their words against, composed once in a process."""

from copy import deepcopy

import pytest
from hydra.core.global_hydra import GlobalHydra

from colorize.cli import overrides
from tests.helpers.configs import CONF

KNOWN = {"pkg://hydra.conf", "structured://", f"file://{CONF}", str(CONF), None}


@pytest.fixture(scope="session", autouse=True)
def composed_once():
    """Of conf/ and Hydra's own configs alone; where a user's folder is searched too, each time. It is a third of what a
    command takes before its work begins, and most commands of the tests choose the same few options."""
    compose, composed = overrides.compose_config, {}

    def compose_once(name, words):
        searched = GlobalHydra.instance().config_loader().get_search_path().get_path()
        if {each.path for each in searched} - KNOWN or any("hydra.searchpath" in word for word in words):
            return compose(name, words)
        key = (name, *words)
        if key not in composed:
            composed[key] = compose(name, words)
        return deepcopy(composed[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overrides, "compose_config", compose_once)
        yield
