"""What several suites share: a container engine and a cluster with a Gateway, started when the first test needs them."""

from collections.abc import Iterator

import pytest
from tests.fakes import dockerd, gateway_cluster
from tests.fakes.engines import EngineInTests, engine
from tests.fakes.gateway_cluster import GatewayCluster


@pytest.fixture(scope="session")
def containers(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[EngineInTests]:
    """Podman, or Docker where that is asked for."""
    folder, programs = tmp_path_factory.mktemp("engine"), pytestconfig.getoption("--dockerd")
    with dockerd.engine(folder, programs) if programs else engine(folder) as running:
        yield running


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayCluster]:
    """An API server and Traefik, of the process that runs the group "cluster traffic"."""
    with gateway_cluster.running(tmp_path_factory.mktemp("gateway")) as running:
        yield running
