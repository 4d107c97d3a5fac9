"""Istio as the controller of a cluster for tests, with the Envoy of the extra `envoy` in front.

Istio's own Envoy has filters that others lack (ALPN, exchange of metadata); both are turned off by settings of Istio's. Nobody starts
the gateway's pod, as there is no node: Envoy runs here, and says by its labels which gateway it is.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.surroundings import processes, programs
from tests.fakes import gateway_cluster
from tests.fakes.gateway_cluster import GATEWAY, NAMES, ROUTES, ClusterWorld, GatewayCluster
from tests.free_ports import free_port

from gennaker.interfaces.routes import Routing
from gennaker.plugins.cluster_traffic.gateway import GatewayApi
from gennaker.plugins.cluster_traffic.istio import PLACEHOLDER, Istio
from gennaker.plugins.cluster_traffic.provider import RouteProvider
from gennaker.plugins.proxies import program
from gennaker.plugins.proxies.envoy import Envoy
from gennaker.traffic_settings import LoadBalancerSettings

NETWORKING = "networking.istio.io/v1"
VIRTUAL_SERVICES = f"/apis/{NETWORKING}/namespaces/default/virtualservices"
_CRDS = "manifests/charts/base/files/crd-all.gen.yaml"
_SYSTEM = "istio-system"
_LABELS = {"istio": "mesh"}
_GATEWAY = "edge"
"""Not `mesh`: to VirtualServices that means sidecars."""
_SETTLE_SECONDS = 1.0
_ENVIRONMENT = (
    "PILOT_ENABLE_METADATA_EXCHANGE=false",
    "PILOT_ENABLE_ALPN_FILTER=false",
    # Certificates, sidecars and pods of gateways are nobody's here.
    "ENABLE_CA_SERVER=false",
    "PILOT_CERT_PROVIDER=none",
    "INJECT_ENABLED=false",
    "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER=false",
    "VALIDATION_WEBHOOK_CONFIG_NAME=",
    "INJECTION_WEBHOOK_CONFIG_NAME=",
    "ENABLE_LEADER_ELECTION=false",
    "POD_NAME=istiod-0",
    f"POD_NAMESPACE={_SYSTEM}",
)


class Mesh:
    """A cluster that Istio serves, too."""

    def __init__(self, cluster: GatewayCluster) -> None:
        """Chooses ports."""
        self.cluster = cluster
        self.listeners = {name: free_port() for name in NAMES}
        """Of a Gateway of the Gateway API, by load balancer."""
        self.port = free_port()
        """Of Istio's own Gateway."""

    def install(self) -> None:
        """Istio's kinds, and a gateway by each API."""
        plane = self.cluster.plane
        for text in (programs.sources("istio") / _CRDS).read_text().split("\n---\n"):
            name = next((line for line in text.splitlines() if line.startswith("  name: ")), "").removeprefix(
                "  name: "
            )
            if name:
                gateway_cluster.apply_crd(plane, name, text.encode())
        plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": _SYSTEM}})
        reached = {**self.listeners, "own": self.port}
        own = [{"name": name, "port": port, "targetPort": port} for name, port in reached.items()]
        service = {"metadata": {"name": "mesh"}, "spec": {"selector": _LABELS, "ports": own}}
        plane.request("POST", "/api/v1/namespaces/default/services", service)
        listeners = [{"name": name, "port": port, "protocol": "HTTP"} for name, port in self.listeners.items()]
        address = {"type": "Hostname", "value": "mesh"}
        gateway = {"gatewayClassName": "istio", "addresses": [address], "listeners": listeners}
        self._put(GATEWAY, gateway)
        port = {"number": self.port, "name": "http", "protocol": "HTTP"}
        server = {"port": port, "hosts": ["*"], "bind": "127.0.0.1"}
        self._put(NETWORKING, {"selector": _LABELS, "servers": [server]})

    def _put(self, version: str, spec: Mapping[str, object]) -> None:
        path = f"/apis/{version}/namespaces/default/gateways/{_GATEWAY}"
        body = {"apiVersion": version, "kind": "Gateway", "metadata": {"name": _GATEWAY}, "spec": spec}
        plane = self.cluster.plane
        plane.wait(lambda: plane.apply(path, body, manager="kubectl") is not None)


class MeshWorld(ClusterWorld):
    """Behind Envoy, by routes of one API."""

    is_random = True
    settle_seconds = _SETTLE_SECONDS

    def __init__(self, folder: Path, mesh: Mesh) -> None:
        super().__init__(folder, mesh.cluster)
        self.mesh = mesh

    def settings(self, provider: str, addresses: Mapping[str, str]) -> dict[str, LoadBalancerSettings]:
        return {
            name: LoadBalancerSettings(
                provider=provider,
                account="prod",
                address=address,
                settle_seconds=self.settle_seconds,
                in_flight_metric=self.gauge,
            )
            for name, address in addresses.items()
        }

    async def settle(self, seconds: float) -> None:
        """Istio doesn't tell what its proxies have."""
        await asyncio.sleep(seconds)


class MeshGatewayWorld(MeshWorld):
    """By HTTPRoutes."""

    switched_by = (ROUTES,)
    lacking: frozenset[Routing] = frozenset()

    def __init__(self, folder: Path, mesh: Mesh) -> None:
        super().__init__(folder, mesh)
        for name in NAMES:
            mesh.cluster.add_route(name, _GATEWAY)

    def provider(self) -> RouteProvider:
        configured = self.settings(
            "gateway-api", {name: f"127.0.0.1:{port}" for name, port in self.mesh.listeners.items()}
        )
        places = gateway_cluster.places(self.mesh.cluster, "gateway-api", self.account, configured)
        return RouteProvider(kind=GatewayApi(), places=places, sleep=self.settle)


class VirtualServiceWorld(MeshWorld):
    """By VirtualServices: the first has a host, so that all other requests are the second's."""

    switched_by = (VIRTUAL_SERVICES,)

    def __init__(self, folder: Path, mesh: Mesh) -> None:
        super().__init__(folder, mesh)
        for name in NAMES:
            hosts = ["prod.test" if name == NAMES[0] else "*"]
            http = [{"route": [{"destination": {"host": PLACEHOLDER}}]}]
            spec = {"hosts": hosts, "gateways": [_GATEWAY], "http": http}
            body = {"apiVersion": NETWORKING, "kind": "VirtualService", "metadata": {"name": name}, "spec": spec}
            assert mesh.cluster.plane.apply(f"{VIRTUAL_SERVICES}/{name}", body, manager="kubectl")

    def provider(self) -> RouteProvider:
        configured = self.settings("istio", dict.fromkeys(NAMES, f"127.0.0.1:{self.mesh.port}"))
        places = gateway_cluster.places(self.mesh.cluster, "istio", self.account, configured)
        return RouteProvider(kind=Istio(), places=places, sleep=self.settle)


@contextlib.contextmanager
def running(folder: Path, cluster: GatewayCluster) -> Iterator[Mesh]:
    """Istio and an Envoy until the block ends."""
    mesh = Mesh(cluster)
    pilot = programs.build("istio")
    mesh.install()
    xds = free_port()
    (folder / "mesh.yaml").write_text(
        json.dumps({"enableAutoMtls": False, "enablePrometheusMerge": False, "defaultProviders": {}})
    )
    (folder / "envoy.json").write_text(json.dumps(_bootstrap(xds)))
    addresses = {"http": free_port(), "grpc": xds, "monitoring": free_port()}
    options = {
        "kubeconfig": str(cluster.plane.kubeconfig),
        "meshConfig": str(folder / "mesh.yaml"),
        "networksConfig": str(folder / "networks.yaml"),
        **{f"{name}Addr": f"127.0.0.1:{port}" for name, port in addresses.items()},
        "httpsAddr": "",
        "secureGRPCAddr": "",
        "ctrlz_port": "0",
        "profile": "false",
        "namespace": _SYSTEM,
    }
    command = [str(pilot), "discovery", *(f"--{name}={value}" for name, value in options.items())]
    envoy = [program.found(Envoy.wanted, ""), "-c", "envoy.json", "--concurrency", "2", "--use-dynamic-base-id"]
    with contextlib.ExitStack() as stack:
        for name, each, port in (("istio", command, xds), ("envoy", envoy, mesh.port)):
            own = ["env", *_ENVIRONMENT, *each]
            stack.enter_context(processes.running(own, folder, name, cluster=cluster, port=port))
        yield mesh


def _bootstrap(xds: int) -> dict[str, object]:
    """What Istio's agent would give an Envoy."""
    kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http2 = {"@type": f"type.googleapis.com/{kind}", "explicit_http_config": {"http2_protocol_options": {}}}
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": xds}}}}
    istio = {
        "name": "istio",
        "type": "STATIC",
        "typed_extension_protocol_options": {kind: http2},
        "load_assignment": {"cluster_name": "istio", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    asked = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    return {
        "node": {
            "id": "router~127.0.0.1~mesh-0.default~default.svc.cluster.local",
            "cluster": "mesh.default",
            "metadata": {
                "NAMESPACE": "default",
                "LABELS": _LABELS,
                "CLUSTER_ID": "Kubernetes",
                "ISTIO_VERSION": "1.31.0",
                "INSTANCE_IPS": "127.0.0.1",
            },
        },
        "dynamic_resources": {
            "lds_config": asked,
            "cds_config": asked,
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "istio"}}],
            },
        },
        "static_resources": {"clusters": [istio]},
    }
