"""Fixtures of this folder's tests."""

import pytest

from tests.helpers.wandb_server import WandbServer


@pytest.fixture
def server():
    served = WandbServer()
    yield served
    served.stop()
