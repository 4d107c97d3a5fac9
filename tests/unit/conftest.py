"""What unit tests of several rooms need."""

import os
from collections.abc import Iterator

import pytest
from tests import steady_examples


def pytest_configure(config: pytest.Config) -> None:
    steady_examples.use(config)


@pytest.fixture
def open_to_all() -> Iterator[None]:
    """A umask that forbids nothing: what is private then was made so."""
    before = os.umask(0)
    yield
    os.umask(before)
