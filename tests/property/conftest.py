"""What properties need of Hypothesis."""

import pytest
from tests import steady_examples


def pytest_configure(config: pytest.Config) -> None:
    steady_examples.use(config)
