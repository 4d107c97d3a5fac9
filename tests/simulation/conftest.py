"""Quiet: thousands of servers that start and die would fill the log with what nobody reads."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Errors only, and as it was for the tests of other folders: there are no packages here that a fixture could end with."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.reset_defaults()
