"""Kubernetes: requests, seconds and memory where there are many namespaces, workloads and deployments at once.

Run: `python benchmarks/kubernetes.py [WORKLOADS] [DEPLOYMENTS]` (5,000 in 50 namespaces, and 100 of 10 pods). The control plane is
real (Go 1.26; it is built first), nodes and pods are kwok's. Workloads are made before; what is measured is a process that looks
at them all by its watches, then deploys in one pipeline with so many stages side by side, then 3,000 objects in one stage.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import structlog

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests import control_plane, make
from tests.control_plane import ControlPlane
from tests.fakes.virtual_time import RealTime
from tests.free_ports import free_port
from tests.kubernetes_cluster import Object, config_map, workload

from gennaker.interfaces.api_servers import ApiServer
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.model.codec import Json, JsonObject
from gennaker.plugins.kubernetes import plugin as kubernetes
from gennaker.plugins.kubernetes.provider import KubernetesProvider
from gennaker.settings import Settings
from gennaker.testing.installation import Installation
from gennaker.transport.kubernetes import kubeconfig
from gennaker.transport.kubernetes.server import HttpApiServer

_NAMESPACES, _PODS, _APPLICATION, _OBJECTS = 50, 10, "shop", 3_000
_MADE_WITHIN = 600.0


class Counting(httpx2.AsyncBaseTransport):
    """Counts what is asked, by method; watches apart."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self._inner = httpx2.AsyncHTTPTransport(verify=False, limits=httpx2.Limits(max_connections=None))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Asks it."""
        is_watch = "watch" in request.url.params
        self.asked["WATCH" if is_watch else request.method] += 1
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Closes kept connections."""
        await self._inner.aclose()

    def told(self) -> str:
        """And counts anew."""
        found = ", ".join(f"{count:,} {method}" for method, count in sorted(self.asked.items()))
        self.asked.clear()
        return found or "none"


def fill(plane: ControlPlane, workloads: int) -> None:
    """ReplicaSets of one pod each, deployed as server groups of one application, and waits until all have it."""
    for place in range(_NAMESPACES):
        plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": f"space-{place}"}})

    def create(place: int) -> None:
        own = {"moniker.spinnaker.io/application": _APPLICATION, "moniker.spinnaker.io/cluster": f"shop-{place}"}
        made = _plain("ReplicaSet", f"shop-{place}-v000", replicas=1)
        made["metadata"]["annotations"] = own
        client.post(f"/apis/apps/v1/namespaces/space-{place % _NAMESPACES}/replicasets", json=made).raise_for_status()

    access = kubeconfig.from_file(plane.kubeconfig, "")
    headers = {"authorization": f"Bearer {access.user.token}"}
    # One that keeps its connections: five thousand handshakes would take longer than all the rest.
    with (
        httpx2.Client(base_url=access.server, verify=False, headers=headers, timeout=60) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        list(threads.map(create, range(workloads)))
    ends = time.monotonic() + _MADE_WITHIN
    while (ready := _ready(plane)) < workloads:
        if time.monotonic() > ends:
            raise SystemExit(f"Only {ready} of {workloads} pods came up.")
        time.sleep(2)


def _ready(plane: ControlPlane) -> int:
    listed = plane.request("GET", "/apis/apps/v1/replicasets")
    assert isinstance(listed, dict)
    return sum(one["status"].get("readyReplicas", 0) for one in listed["items"])


def measure(file: str, workloads: int, deployments: int) -> None:
    """The process that is measured."""
    counting = Counting()
    settings = Settings(kubernetes={"prod": KubernetesAccountSettings(kubeconfig_file=file)})

    def server(services: Services) -> tuple[ApiServer, ...]:
        access = kubeconfig.from_file(Path(file), "")
        return (HttpApiServer("prod", lambda: access, now=services.clock.now, transport=counting),)

    plugin = Plugin(
        name="kubernetes",
        stages=kubernetes.stages,
        clouds=(KubernetesProvider.of,),
        manifests=kubernetes.plugin.manifests,
        api_servers=(server,),
        services=(kubernetes.watches,),
    )
    installation = Installation(plugin, settings=settings, time=RealTime())
    print(f"before                                   {_megabytes():5.0f} MB")

    async def look(services: Services) -> None:
        for what in ("first look", "looks again"):
            began = time.perf_counter()
            found = await services.clouds["kubernetes"].describe(_APPLICATION)
            spent = time.perf_counter() - began
            assert len(found) == workloads, len(found)
            print(f"{what:12} {len(found):6,} server groups  {spent:6.2f} s {_megabytes():5.0f} MB  {counting.told()}")

    installation.do(look)
    stages = [_stage(place) for place in range(deployments)]
    began = time.perf_counter()
    execution = installation.run(make.config(*stages, application=_APPLICATION))
    spent = time.perf_counter() - began
    status = execution.head.status.value
    print(
        f"{deployments} deployments of {_PODS} pods: {status}  {spent:6.1f} s {_megabytes():5.0f} MB  {counting.told()}"
    )
    if status != "SUCCEEDED":
        raise SystemExit(1)
    _drift(installation, counting, _APPLICATION, deployments)
    for what in ("one stage", "the same again"):
        _many_objects(installation, counting, what)
    _drift(installation, counting, "large", _OBJECTS)


def _many_objects(installation: Installation, counting: Counting, what: str) -> None:
    """One stage with many versioned ConfigMaps, as the stage of a stored pipeline."""
    listed: list[Json] = [config_map(f"large-{place}", mode="fast") for place in range(_OBJECTS)]
    keys: JsonObject = {"account": "prod", "moniker": {"app": "large"}, "manifests": listed}
    stage = make.stage_json("0", type="deployManifest", namespaceOverride="space-0", **keys)
    began, cpu = time.perf_counter(), time.process_time()
    execution = installation.run(make.config(stage, application="large", id="large"))
    spent, cpu = time.perf_counter() - began, time.process_time() - cpu
    status = execution.head.status.value
    print(
        f"{what} of {_OBJECTS:,} objects: {status}  {spent:6.1f} s, {cpu:.1f} s CPU {_megabytes():5.0f} MB  {counting.told()}"
    )
    if status != "SUCCEEDED":
        raise SystemExit(1)


def _drift(installation: Installation, counting: Counting, application: str, objects: int) -> None:
    """All that the stages before have applied, compared with what is there."""

    async def look(services: Services) -> None:
        began, cpu = time.perf_counter(), time.process_time()
        found = await services.manifests["kubernetes"].drift(application, frozenset({"prod"}))
        spent, cpu = time.perf_counter() - began, time.process_time() - cpu
        assert len(found.objects) == objects, len(found.objects)
        print(
            f"drift of {objects:,} objects  {spent:6.1f} s, {cpu:.1f} s CPU {_megabytes():5.0f} MB  {counting.told()}"
        )

    installation.do(look)


def _stage(place: int) -> Object:
    manifest = _plain("Deployment", f"many-{place}", replicas=_PODS)
    keys: JsonObject = {"account": "prod", "moniker": {"app": _APPLICATION}, "manifests": [manifest]}
    return make.stage_json(str(place), type="deployManifest", namespaceOverride=f"space-{place % _NAMESPACES}", **keys)


def _plain(kind: str, name: str, *, replicas: int) -> Object:
    made = workload(kind, name, replicas=replicas)
    made["spec"]["selector"] = {"matchLabels": {"app": name}}
    made["spec"]["template"] = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "web", "image": "acme/web"}]},
    }
    return made


def _megabytes() -> float:
    """The most that this process has needed so far, of its own."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


def main(arguments: list[str]) -> None:
    """The cluster, or the process that is measured."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    if arguments and arguments[0] == "measure":
        measure(arguments[1], int(arguments[2]), int(arguments[3]))
        return
    if not control_plane.has_go():
        print("Left out: the control plane is built with Go 1.26, which isn't here.")
        return
    workloads, deployments = [int(one) for one in arguments] + [5_000, 100][len(arguments) :]
    ports = (free_port(), free_port(), free_port())
    with tempfile.TemporaryDirectory() as folder, control_plane.running(Path(folder), ports) as plane:
        began = time.monotonic()
        fill(plane, workloads)
        took = time.monotonic() - began
        print(f"{workloads:,} workloads in {_NAMESPACES} namespaces were made in {took:.0f} s", flush=True)
        words = ("measure", str(plane.kubeconfig), str(workloads), str(deployments))
        subprocess.run([sys.executable, __file__, *words], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
