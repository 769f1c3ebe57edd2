"""Fixtures of this folder's tests."""

from importlib import import_module

import pytest

from tests.helpers.configs import ROOT
from tests.helpers.wandb_server import WandbServer


@pytest.fixture
def server():
    served = WandbServer()
    yield served
    served.stop()


@pytest.fixture
def study(monkeypatch):
    """A module of experiments/four_models by its name."""
    here = ROOT / "experiments" / "four_models"
    monkeypatch.syspath_prepend(here.parent)
    monkeypatch.syspath_prepend(here)
    return import_module
