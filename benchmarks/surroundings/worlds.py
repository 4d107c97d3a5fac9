"""Surroundings behind controllers that take too long to build for each run of the tests: Istio, and ingress-nginx itself."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from benchmarks.surroundings import ingress_nginx, mesh
from tests.fakes.gateway_cluster import ClusterWorld, GatewayCluster

KINDS = ("istio-gateway-api", "istio", "nginx-itself")


@contextlib.contextmanager
def world(kind: str, folder: Path, cluster: GatewayCluster) -> Iterator[ClusterWorld]:
    """The surroundings, to be closed by who uses them, while the controller runs."""
    if kind == "nginx-itself":
        with ingress_nginx.running(folder, cluster):
            yield ingress_nginx.NginxWorld(folder, cluster)
        return
    with mesh.running(folder, cluster) as found:
        yield (
            mesh.MeshGatewayWorld(folder, found)
            if kind == "istio-gateway-api"
            else mesh.VirtualServiceWorld(folder, found)
        )
