"""What several suites share: a container engine, started when the first test needs it."""

from collections.abc import Iterator

import pytest
from tests.fakes.engines import EngineInTests, engine


@pytest.fixture(scope="session")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineInTests]:
    """Podman."""
    with engine(tmp_path_factory.mktemp("engine")) as running:
        yield running
