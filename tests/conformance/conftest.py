"""What several suites share: a container engine and a cluster with a Gateway, started when the first test needs them."""

from collections.abc import Iterator

import pytest
from tests.fakes import gateway_cluster
from tests.fakes.engines import EngineInTests, engine
from tests.fakes.gateway_cluster import GatewayCluster


@pytest.fixture(scope="session")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineInTests]:
    """Podman."""
    with engine(tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayCluster]:
    """An API server and Traefik, of the process that runs the group "cluster traffic"."""
    with gateway_cluster.running(tmp_path_factory.mktemp("gateway")) as running:
        yield running
