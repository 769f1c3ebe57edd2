"""Fixtures of this folder's tests."""

import pytest

from tests.helpers.ddcolor import official, small_ddcolor


@pytest.fixture(scope="session")
def small():
    model = small_ddcolor()
    return model, official(model)
