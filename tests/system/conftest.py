"""Fixtures of this folder's tests."""

from importlib import import_module

import pytest

from tests.helpers.wandb_server import WandbServer


@pytest.fixture
def server():
    served = WandbServer()
    yield served
    served.stop()


@pytest.fixture
def study(monkeypatch, request):
    """A module by its name, of the study whose folder is the STUDY of the test's file."""
    monkeypatch.syspath_prepend(request.module.STUDY.parent)
    monkeypatch.syspath_prepend(request.module.STUDY)
    return import_module
