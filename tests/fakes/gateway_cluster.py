"""A real API server with the Gateway API, Traefik as its controller, and addresses that its EndpointSlices may hold.

No pods run: servers listen on addresses of a part of 198.18.0.0/16 (for tests of networks, RFC 2544) that nobody has taken, which
the loopback interface has meanwhile. So it needs root. The kinds of the Gateway API come from its Go module.
"""

import asyncio
import contextlib
import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

import httpx2
from tests import control_plane, waiting
from tests.control_plane import ADMIN_TOKEN, ControlPlane
from tests.fakes.traffic_worlds import RealWorld
from tests.free_ports import free_port
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from gennaker.interfaces.api_servers import ApiUnavailable
from gennaker.interfaces.routes import Routing
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.plugins.cluster_traffic.gateway import GatewayApi
from gennaker.plugins.cluster_traffic.ingress_provider import IngressProvider
from gennaker.plugins.cluster_traffic.places import Places
from gennaker.plugins.cluster_traffic.provider import RouteProvider
from gennaker.plugins.proxies import program
from gennaker.plugins.proxies.traefik import Traefik
from gennaker.traffic_settings import LoadBalancerSettings
from gennaker.transport import ports
from gennaker.transport.kubernetes import kubeconfig
from gennaker.transport.kubernetes.server import HttpApiServer
from gennaker.worker.clock import SystemClock

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
_COMMAND_SECONDS = 300.0
_AGAIN_SECONDS = 0.5
_SETTLE_SECONDS = 0.05
"""Stands for the time that a controller needs; what is waited for is that Traefik has done it (`GatewayWorld.settle`)."""
NAMES = ("shop-prod", "shop")
"""Of load balancers, each with a route at a listener of its own."""


INGRESS = "networking.k8s.io/v1"
INGRESSES = f"/apis/{INGRESS}/namespaces/default/ingresses"
_NGINX = "nginx.ingress.kubernetes.io"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
Served: TypeAlias = tuple[dict[str, int], dict[str, set[str]]]
"""Weights and instances of Services."""


class GatewayCluster:
    """A running one."""

    def __init__(self, plane: ControlPlane, listeners: Mapping[str, int], interface: int, network: str) -> None:
        self.plane = plane
        self.network = network
        """First three numbers of the addresses that servers may have."""
        self.interface = interface
        """Port at which Traefik tells what it serves."""
        self.ingress_port = free_port()
        """Port of all Ingresses."""
        self.nginx_port = free_port()
        """Likewise, of ingress-nginx where that runs, too."""
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
        body = {"apiVersion": INGRESS, "kind": "IngressClass", "metadata": {"name": "nginx"}}
        nginx = {**body, "spec": {"controller": "k8s.io/ingress-nginx"}}
        self.plane.apply(f"/apis/{INGRESS}/ingressclasses/nginx", nginx, manager="kubectl")

    def add_route(self, name: str, gateway: str = "web") -> None:
        """What a user makes."""
        spec = {"parentRefs": [{"name": gateway, "sectionName": name}], "rules": [{}]}
        assert self._put("httproutes", "namespaces/default/", "HTTPRoute", name, spec)

    def add_ingress(self, name: str) -> None:
        """Likewise: the first has a host, so that all other requests are the second's."""
        backend = {"service": {"name": name, "port": {"number": 80}}}
        rule = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
        spec = {"ingressClassName": "nginx", "rules": [{**rule, "host": "prod.test"} if name == NAMES[0] else rule]}
        body = {"apiVersion": INGRESS, "kind": "Ingress", "metadata": {"name": name}, "spec": spec}
        assert self.plane.apply(f"{INGRESSES}/{name}", body, manager="kubectl")

    def remove(self, path: str) -> None:
        """What a user has made."""
        self.plane.request("DELETE", path)

    def _put(self, plural: str, where: str, kind: str, name: str, spec: Mapping[str, object]) -> bool:
        """False: the API server doesn't know the kind yet."""
        body = {"apiVersion": GATEWAY, "kind": kind, "metadata": {"name": name}, "spec": spec}
        return self.plane.apply(f"/apis/{GATEWAY}/{where}{plural}/{name}", body, manager="kubectl") is not None


class ClusterWorld(RealWorld):
    """Behind Traefik, by routes of one API."""

    is_counting = False
    gauge = ""
    """By which instances tell what they have under way."""
    switched_by: tuple[str, ...] = ()
    """Paths of what a switch changes; the first is of what a load balancer is."""
    settle_seconds: float | None = None
    """So long is waited for Traefik; None: until it has done it."""

    def __init__(self, folder: Path, cluster: GatewayCluster) -> None:
        super().__init__(folder)
        self._cluster = cluster
        self._servers: list[Server] = []
        self.account = account(cluster)
        self._traefik = httpx2.AsyncClient(trust_env=False, verify=False, timeout=_COMMAND_SECONDS)

    def places(self, provider: str, address: str = "") -> Places:
        wish = LoadBalancerSettings(
            provider=provider,
            account="prod",
            address=address,
            settle_seconds=_SETTLE_SECONDS if self.settle_seconds is None else self.settle_seconds,
            in_flight_metric=self.gauge,
        )
        return places(self._cluster, provider, self.account, dict.fromkeys(NAMES, wish))

    async def wanted(self) -> Served:
        """What there is at the API server."""
        raise NotImplementedError

    def name_of(self, service: str) -> str:
        """What `wanted` calls a service of Traefik's; empty: it is of another API."""
        raise NotImplementedError

    async def settle(self, seconds: float) -> None:
        """However slow the machine is: until Traefik serves by the routes and slices that there are."""
        if self.settle_seconds is None and seconds == _SETTLE_SECONDS:

            async def is_served() -> bool:
                return await self.wanted() == await self._served()

            await waiting.until_found(is_served, "Traefik to serve what there is", pause_seconds=0.1)
        await asyncio.sleep(seconds)  # what it tells may be a moment ahead of what it does at another port

    async def served_by(self, urls: set[str]) -> None:
        """Until Traefik has just these behind a Service, whatever the slices hold."""

        async def is_served() -> bool:
            return urls in (await self._served())[1].values()

        await waiting.until_found(is_served, f"Traefik to serve {urls}", pause_seconds=0.1)
        await asyncio.sleep(_SETTLE_SECONDS)

    async def addresses(self) -> dict[str, set[str]]:
        """What is behind Services by their slices."""
        found: dict[str, set[str]] = {}
        for one in await self.listed(SLICES):
            hosts = [host for endpoint in one["endpoints"] or () for host in endpoint["addresses"]]
            service = found.setdefault(one["metadata"]["labels"]["kubernetes.io/service-name"], set())
            service |= {f"http://{host}:{one['ports'][0]['port']}" for host in hosts}
        return found

    async def _served(self) -> Served:
        """By Traefik."""
        answer = await self._traefik.get(
            f"http://127.0.0.1:{self._cluster.interface}/api/http/services", params={"per_page": "1000"}
        )
        weights: dict[str, int] = {}
        addresses: dict[str, set[str]] = {}
        # It listens before it has anything to tell.
        for one in answer.json() if answer.is_success else ():
            for named in one.get("weighted", {}).get("services", ()):
                if name := self.name_of(named["name"]):
                    weights[name] = named["weight"]
            if "loadBalancer" in one and (name := self.name_of(one["name"])):
                addresses[name] = {server["url"] for server in one["loadBalancer"].get("servers", ())}
        return weights, addresses

    async def listed(self, path: str) -> list[Any]:
        listed: list[Any] = json.loads(await self.account.request("GET", path))["items"]
        return listed

    def host(self, number: int) -> str:
        return f"{self._cluster.network}.{number + 1}"

    async def servers(self, count: int) -> tuple[str, ...]:
        """In this process, which is cheaper than one each: here it is the cluster that is tested."""
        return tuple([await self._serve(self.host(number)) for number in range(count)])

    async def _serve(self, host: str) -> str:
        port = free_port()

        def answer(connection: ServerConnection, request: Request) -> Response | None:
            return None if request.path == "/socket" else connection.respond(HTTPStatus.OK, f"{host}:{port}")

        async def echo(connection: ServerConnection) -> None:
            async for message in connection:
                await connection.send(message)

        self._servers.append(await serve(echo, host, port, process_request=answer, compression=None))
        return f"{host}:{port}"

    async def kill(self) -> None:
        for name in NAMES:
            await self.provider().remove(name)
        for server in self._servers:
            server.close()
            await server.wait_closed()
        await self.account.close()
        await self._traefik.aclose()
        for name in NAMES:
            self._cluster.remove(f"{self.switched_by[0]}/{name}")


class GatewayWorld(ClusterWorld):
    """By HTTPRoutes."""

    switched_by = (ROUTES,)
    lacking = frozenset({Routing.MIRROR})
    """Traefik copies requests by its own kinds only."""

    def __init__(self, folder: Path, cluster: GatewayCluster) -> None:
        super().__init__(folder, cluster)
        for name in NAMES:
            cluster.add_route(name)

    def provider(self) -> RouteProvider:
        return RouteProvider(kind=GatewayApi(), places=self.places("gateway-api"), sleep=self.settle)

    async def wanted(self) -> Served:
        rules = [rule for route in await self.listed(ROUTES) for rule in route["spec"]["rules"]]
        weights = {one["name"]: one["weight"] for rule in rules for one in rule.get("backendRefs", ())}
        addresses = await self.addresses()
        return weights, {name: addresses.get(name, set()) for name in weights}

    def name_of(self, service: str) -> str:
        """Traefik: `…-svc-NAMESPACE-NAME-NUMBER@PROVIDER`."""
        return service.partition("@")[0].partition("-svc-default-")[2].rpartition("-")[0]


class IngressWorld(ClusterWorld):
    """By Ingresses that Traefik serves as ingress-nginx would; but it doesn't draw lots, it goes round."""

    switched_by = (INGRESSES, SLICES)

    def __init__(self, folder: Path, cluster: GatewayCluster) -> None:
        super().__init__(folder, cluster)
        for name in NAMES:
            cluster.add_ingress(name)

    def provider(self) -> IngressProvider:
        address = f"127.0.0.1:{self._cluster.ingress_port}"
        return IngressProvider(places=self.places("ingress-nginx", address), sleep=self.settle)

    async def wanted(self) -> Served:
        addresses = await self.addresses()
        services = {f"default-{name}-{name}-80": addresses.get(name, set()) for name in NAMES}
        weights: dict[str, int] = {}
        for one in await self.listed(INGRESSES):
            annotations = one["metadata"].get("annotations", {})
            if f"{_NGINX}/canary" in annotations:
                (path,) = one["spec"]["rules"][0]["http"]["paths"]
                name = one["metadata"]["name"].removesuffix("-canary")
                key = f"default-{name}-{name}-80"
                weight, total = (int(annotations[f"{_NGINX}/canary-weight{end}"]) for end in ("", "-total"))
                weights |= {key: total - weight, f"{key}-canary": weight}
                services[f"{key}-canary"] = addresses[path["backend"]["service"]["name"]]
        return weights, services

    def name_of(self, service: str) -> str:
        name, _, provider = service.partition("@")
        is_ours = provider in ("", "kubernetesingressnginx") and name.startswith("default-")
        return name if is_ours and "-svc-" not in name else ""


IN_A_CLUSTER: dict[str, type[ClusterWorld]] = {"gateway-api": GatewayWorld, "ingress-nginx": IngressWorld}


@asynccontextmanager
async def cluster_world(kind: str, folder: Path, cluster: GatewayCluster) -> AsyncIterator[ClusterWorld]:
    """The surroundings of a provider."""
    here = IN_A_CLUSTER[kind](folder, cluster)
    try:
        yield here
    finally:
        await here.close()


@contextlib.contextmanager
def running(folder: Path, *, throttle: str = "10ms") -> Iterator[GatewayCluster]:
    """Until the block ends. `throttle`: at least so long Traefik serves by one configuration before it takes the next."""
    listeners = {name: free_port() for name in NAMES}
    api = (free_port(), free_port(), free_port())
    with (
        control_plane.running(folder, api, has_fake_node=False, has_controllers=False) as plane,
        _addresses() as network,
    ):
        cluster = GatewayCluster(plane, listeners, free_port(), network)
        cluster.install()
        with _traefik(folder, cluster, throttle):
            yield cluster


class PatientApiServer(HttpApiServer):
    """Asks again where nothing was begun (the API server sets up a kind's storage anew, say), as the engine does for a task."""

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
        media: str = "application/json",
    ) -> bytes:
        """As in HttpApiServer."""
        ends = time.monotonic() + waiting.IN_VAIN_SECONDS
        while True:
            try:
                return await super().request(method, path, query=query, body=body, media=media)
            except ApiUnavailable as failure:
                if failure.may_be_done or time.monotonic() > ends:
                    raise
            await asyncio.sleep(_AGAIN_SECONDS)


def account(cluster: GatewayCluster) -> HttpApiServer:
    """To be closed."""
    return PatientApiServer("prod", partial(kubeconfig.from_file, cluster.plane.kubeconfig, ""), now=SystemClock().now)


def places(
    cluster: GatewayCluster, provider: str, server: HttpApiServer, configured: Mapping[str, LoadBalancerSettings]
) -> Places:
    """Of load balancers in a cluster."""
    account = KubernetesAccountSettings(kubeconfig_file=str(cluster.plane.kubeconfig))
    return Places(provider, configured=configured, accounts={"prod": account}, servers={"prod": server}.get)


def module(name: str, digest: str) -> Path:
    """The folder of a Go module, fetched if it isn't there. Raises RuntimeError where it is another one."""
    found = json.loads(control_plane.fetching("mod", "download", "-json", name, folder=Path("/")))
    if found["Sum"] != digest:
        raise RuntimeError(f"{name} has the digest {found['Sum']}, not {digest}")
    return Path(found["Dir"])


def apply_crd(plane: ControlPlane, name: str, text: bytes) -> None:
    """From YAML as it is: reading it here takes longer than all the rest."""
    plane.send("PATCH", f"{_CRDS}/{name}?fieldManager=kubectl", text, media="application/apply-patch+yaml")


@contextlib.contextmanager
def _addresses() -> Iterator[str]:
    """A network that no other run has, also none that was killed."""
    for number in range(256):
        network = f"198.18.{number}"
        own = ("ip", "address", "add", f"{network}.1/24", "dev", "lo")
        if subprocess.run(own, check=False, capture_output=True, timeout=_COMMAND_SECONDS).returncode == 0:
            break
    else:
        raise RuntimeError(
            "All of 198.18.0.0/16 is taken, or this user may not add addresses to the loopback interface."
        )
    try:
        yield network
    finally:
        subprocess.run(
            ["ip", "address", "delete", f"{network}.1/24", "dev", "lo"], check=True, timeout=_COMMAND_SECONDS
        )


@contextlib.contextmanager
def _traefik(folder: Path, cluster: GatewayCluster, throttle: str) -> Iterator[None]:
    server = {
        "endpoint": cluster.plane.address,
        "token": ADMIN_TOKEN,
        "certAuthFilePath": str(cluster.plane.certificate),
    }
    waits: Mapping[str, str] = {"readTimeout": "0s", "writeTimeout": "0s"}
    configuration = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "WARN", "noColor": True},
        "api": {"insecure": True, "dashboard": False},
        "entryPoints": {
            "traefik": {"address": f"127.0.0.1:{cluster.interface}"},
            "ingress": {
                "address": f"127.0.0.1:{cluster.ingress_port}",
                "transport": {"respondingTimeouts": waits},
            },
            **{
                name: {"address": f"127.0.0.1:{port}", "transport": {"respondingTimeouts": waits}}
                for name, port in cluster.listeners.items()
            },
        },
        "providers": {
            "providersThrottleDuration": throttle,
            "kubernetesGateway": {**server, "statusAddress": {"ip": "127.0.0.1"}},
            "kubernetesIngressNGINX": {**server, "httpEntryPoint": "ingress"},
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
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_COMMAND_SECONDS)
