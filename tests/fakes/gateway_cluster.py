"""A real API server with the Gateway API, Traefik as its controller, and addresses that its EndpointSlices may hold.

No pods run: servers listen on addresses of 198.18.0.0/24 (for tests of networks, RFC 2544), which the loopback interface has
meanwhile. So it needs root. The kinds of the Gateway API come from its Go module.
"""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
from tests import control_plane
from tests.control_plane import ADMIN_TOKEN, ControlPlane
from tests.fakes.traffic_worlds import APP, RealWorld, until_answering
from tests.fakes.web_client import NO_HEADERS, WebClient
from tests.free_ports import free_port

from gennaker.interfaces.traffic import LoadBalancer
from gennaker.plugins.cluster_traffic.gateway import GatewayApi
from gennaker.plugins.cluster_traffic.provider import RouteProvider
from gennaker.plugins.cluster_traffic.routes import RouteKind
from gennaker.plugins.proxies import program
from gennaker.plugins.proxies.traefik import Traefik
from gennaker.settings import KubernetesAccountSettings
from gennaker.traffic_settings import LoadBalancerSettings
from gennaker.transport import ports
from gennaker.transport.kubernetes import kubeconfig
from gennaker.transport.kubernetes.server import HttpApiServer
from gennaker.transport.processes import ProcessSpec
from gennaker.worker.clock import SystemClock

NETWORK = "198.18.0"
GATEWAY = "gateway.networking.k8s.io/v1"
ROUTES = f"/apis/{GATEWAY}/namespaces/default/httproutes"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_MODULE = ("sigs.k8s.io/gateway-api@v1.5.0", "h1:duoo14Ky/fJXpjpmyMISE2RTBGnfCg8zICfTYLTnBJA=")
_KINDS = (
    "gatewayclasses",
    "gateways",
    "httproutes",
    "grpcroutes",
    "tlsroutes",
    "referencegrants",
    "backendtlspolicies",
)
_SETTLE_SECONDS = 0.05
"""Stands for the time that a controller needs; what is waited for is that Traefik has done it (`GatewayWorld.settle`)."""
NAMES = ("shop-prod", "shop")
"""Of load balancers, each with a route at a listener of its own."""


_TRAEFIK_SECONDS = 60.0
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
Served: TypeAlias = tuple[dict[str, int], dict[str, set[str]]]
"""Weights and instances of Services."""


class GatewayCluster:
    """A running one."""

    def __init__(self, plane: ControlPlane, listeners: Mapping[str, int], interface: int) -> None:
        self.plane = plane
        self.interface = interface
        """Port at which Traefik tells what it serves."""
        self.listeners = listeners
        """Ports by name of the load balancer."""

    def install(self) -> None:
        """The kinds, and a Gateway with a listener for each load balancer."""
        for kind in _KINDS:
            file = module(*_MODULE) / "config" / "crd" / "standard" / f"gateway.networking.k8s.io_{kind}.yaml"
            apply_crd(self.plane, f"{kind}.gateway.networking.k8s.io", file.read_bytes())
        class_ = {"controllerName": "traefik.io/gateway-controller"}
        listeners = [{"name": name, "port": port, "protocol": "HTTP"} for name, port in self.listeners.items()]
        self.plane.wait(lambda: self._put("gatewayclasses", "", "GatewayClass", "traefik", class_))
        gateway = {"gatewayClassName": "traefik", "listeners": listeners}
        self.plane.wait(lambda: self._put("gateways", "namespaces/default/", "Gateway", "web", gateway))
        self.plane.wait(lambda: self.plane.request("GET", ROUTES) is not None)

    def add_route(self, name: str) -> None:
        """What a user makes."""
        spec = {"parentRefs": [{"name": "web", "sectionName": name}], "rules": [{}]}
        assert self._put("httproutes", "namespaces/default/", "HTTPRoute", name, spec)

    def remove_route(self, name: str) -> None:
        """With all that it has."""
        self.plane.request("DELETE", f"{ROUTES}/{name}")

    def _put(self, plural: str, where: str, kind: str, name: str, spec: Mapping[str, object]) -> bool:
        """False: the API server doesn't know the kind yet."""
        body = {"apiVersion": GATEWAY, "kind": kind, "metadata": {"name": name}, "spec": spec}
        return self.plane.apply(f"/apis/{GATEWAY}/{where}{plural}/{name}", body, manager="kubectl") is not None


class GatewayWorld(RealWorld):
    """Behind the Gateway."""

    is_counting = False

    def __init__(self, folder: Path, cluster: GatewayCluster) -> None:
        super().__init__(folder)
        self._cluster = cluster
        self._by_port: dict[str, str] = {}
        self.account = account(cluster)
        self._traefik = httpx2.AsyncClient(trust_env=False, verify=False)
        for name in NAMES:
            cluster.add_route(name)

    def provider(self) -> RouteProvider:
        wish = LoadBalancerSettings(provider="gateway-api", account="prod", settle_seconds=_SETTLE_SECONDS)
        return provider(self._cluster, GatewayApi(), self.account, dict.fromkeys(NAMES, wish), self.settle)

    async def settle(self, seconds: float) -> None:
        """However slow the machine is: until Traefik serves by the routes and slices that there are."""
        await asyncio.sleep(seconds)
        if seconds == _SETTLE_SECONDS:
            loop = asyncio.get_running_loop()
            until = loop.time() + _TRAEFIK_SECONDS
            while await self._wanted() != (found := await self._served()):
                assert loop.time() < until, f"Traefik serves {found}"
                await asyncio.sleep(0.02)

    async def _wanted(self) -> Served:
        """By the API server."""
        listed = [await self._listed(path) for path in (ROUTES, SLICES)]
        references = [
            one for route in listed[0] for rule in route["spec"]["rules"] for one in rule.get("backendRefs", ())
        ]
        weights = {one["name"]: one["weight"] for one in references}
        addresses: dict[str, set[str]] = {name: set() for name in weights}
        for one in listed[1]:
            name = one["metadata"]["labels"]["kubernetes.io/service-name"]
            hosts = [host for endpoint in one["endpoints"] or () for host in endpoint["addresses"]]
            if name in addresses:
                addresses[name] |= {f"http://{host}:{one['ports'][0]['port']}" for host in hosts}
        return weights, addresses

    async def _served(self) -> Served:
        """By Traefik."""
        answer = await self._traefik.get(
            f"http://127.0.0.1:{self._cluster.interface}/api/http/services", params={"per_page": "1000"}
        )
        weights: dict[str, int] = {}
        addresses: dict[str, set[str]] = {}
        for one in answer.json():
            for named in one.get("weighted", {}).get("services", ()):
                if name := _service_in(named["name"]):
                    weights[name] = named["weight"]
            if "loadBalancer" in one and (name := _service_in(one["name"])):
                addresses[name] = {server["url"] for server in one["loadBalancer"].get("servers", ())}
        return weights, addresses

    async def _listed(self, path: str) -> list[Any]:
        listed: list[Any] = json.loads(await self.account.request("GET", path))["items"]
        return listed

    async def servers(self, count: int) -> tuple[str, ...]:
        for number in range(1, count + 1):
            port = ports.free(f"{self._folder}/{number}")
            environment = {"PORT": str(port), "HOST": f"{NETWORK}.{number}"}
            argv = ("python3", str(APP))
            spec = ProcessSpec(argv=argv, working_folder="/", environment=environment, drain_seconds=15)
            await self.processes.start(str(port), spec)
            self._by_port[f":{port}"] = f"{NETWORK}.{number}:{port}"
        for address in self._by_port.values():
            await until_answering(address)
        return tuple(self._by_port.values())

    async def get(self, balancer: LoadBalancer, headers: Mapping[str, str] = NO_HEADERS) -> str:
        client = self._clients.setdefault(balancer.address, WebClient(balancer.address))
        status, body = await client.get(headers=headers)
        return self._by_port[body] if status == 200 else str(status)

    async def kill(self) -> None:
        for name in NAMES:
            await self.provider().remove(name)
            self._cluster.remove_route(name)
        await self.account.close()
        await self._traefik.aclose()


def _service_in(name: str) -> str:
    """The Service in Traefik's name of it (`…-svc-NAMESPACE-NAME-NUMBER@PROVIDER`); empty: it has none."""
    return name.partition("@")[0].partition("-svc-default-")[2].rpartition("-")[0]


@asynccontextmanager
async def gateway_world(folder: Path, cluster: GatewayCluster) -> AsyncIterator[GatewayWorld]:
    here = GatewayWorld(folder, cluster)
    try:
        yield here
    finally:
        await here.close()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[GatewayCluster]:
    """Until the block ends."""
    listeners = {name: free_port() for name in NAMES}
    api = (free_port(), free_port(), free_port())
    with control_plane.running(folder, api, has_fake_node=False, has_controllers=False) as plane, _addresses():
        cluster = GatewayCluster(plane, listeners, free_port())
        cluster.install()
        with _traefik(folder, cluster):
            yield cluster


def account(cluster: GatewayCluster) -> HttpApiServer:
    """To be closed."""
    return HttpApiServer("prod", partial(kubeconfig.from_file, cluster.plane.kubeconfig, ""), now=SystemClock().now)


def provider(
    cluster: GatewayCluster,
    kind: RouteKind,
    server: HttpApiServer,
    configured: Mapping[str, LoadBalancerSettings],
    sleep: Callable[[float], Awaitable[None]],
) -> RouteProvider:
    """Over a cluster."""
    return RouteProvider(
        kind=kind,
        configured=configured,
        accounts={"prod": KubernetesAccountSettings(kubeconfig_file=str(cluster.plane.kubeconfig))},
        servers={"prod": server}.get,
        sleep=sleep,
    )


def module(name: str, digest: str) -> Path:
    """The folder of a Go module, fetched if it isn't there. Raises RuntimeError where it is another one."""
    said = subprocess.run(["go", "mod", "download", "-json", name], check=True, capture_output=True, cwd="/")
    found = json.loads(said.stdout)
    if found["Sum"] != digest:
        raise RuntimeError(f"{name} has the digest {found['Sum']}, not {digest}")
    return Path(found["Dir"])


def apply_crd(plane: ControlPlane, name: str, text: bytes) -> None:
    """From YAML as it is: reading it here takes longer than all the rest."""
    plane.send("PATCH", f"{_CRDS}/{name}?fieldManager=kubectl", text, media="application/apply-patch+yaml")


@contextlib.contextmanager
def _addresses() -> Iterator[None]:
    own = f"{NETWORK}.1/24"
    subprocess.run(["ip", "address", "add", own, "dev", "lo"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "address", "delete", own, "dev", "lo"], check=True)


@contextlib.contextmanager
def _traefik(folder: Path, cluster: GatewayCluster) -> Iterator[None]:
    waits: Mapping[str, str] = {"readTimeout": "0s", "writeTimeout": "0s"}
    configuration = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "WARN", "noColor": True},
        "api": {"insecure": True, "dashboard": False},
        "entryPoints": {
            "traefik": {"address": f"127.0.0.1:{cluster.interface}"},
            **{
                name: {"address": f"127.0.0.1:{port}", "transport": {"respondingTimeouts": waits}}
                for name, port in cluster.listeners.items()
            },
        },
        "providers": {
            "providersThrottleDuration": "10ms",
            "kubernetesGateway": {
                "endpoint": cluster.plane.address,
                "token": ADMIN_TOKEN,
                "certAuthFilePath": str(cluster.plane.certificate),
                "statusAddress": {"ip": "127.0.0.1"},
            },
        },
    }
    file = folder / "traefik.yaml"
    file.write_text(json.dumps(configuration))
    with (folder / "traefik.log").open("wb") as log:
        process = subprocess.Popen(
            [program.found(Traefik.wanted, ""), f"--configfile={file}"], stdout=log, stderr=log, cwd=folder
        )
    try:
        cluster.plane.wait(lambda: process.poll() is not None or not ports.is_free("127.0.0.1", cluster.interface))
        if process.poll() is not None:
            raise RuntimeError(f"Traefik has ended: {(folder / 'traefik.log').read_text()[-1500:]}")
        yield
    finally:
        process.terminate()
        process.wait(30)
