"""A place to deploy to for tests: real processes or containers behind a real Caddy, driven by the real engine, without a server."""

import asyncio
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace
from tests.fakes.engines import EngineInTests
from tests.fakes.faulty import Faults, FaultyCloud, FaultyTraffic
from tests.fakes.registry import MemoryRegistry
from tests.fakes.virtual_time import RealTime
from tests.harness import Harness

from gennaker.interfaces.clouds import CloudProvider
from gennaker.interfaces.plugins import Plugin, Service
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import TrafficProvider
from gennaker.model.codec import Json, JsonObject
from gennaker.plugins.caddy import provider as caddy
from gennaker.plugins.caddy.program import CaddyProgram
from gennaker.plugins.caddy.provider import CaddyProvider
from gennaker.plugins.deploy.plugin import plugin as deploy_plugin
from gennaker.plugins.docker.provider import DockerProvider
from gennaker.plugins.flow.plugin import plugin as flow_plugin
from gennaker.plugins.local.provider import LocalProvider
from gennaker.settings import CaddySettings, Settings
from gennaker.transport.processes import Processes

IMAGE = Path(__file__).parent / "fakes" / "image"
CONFIG: JsonObject = {"Cmd": ["python3", "/app/server.py"], "WorkingDir": "/app"}


class RealPlace:
    """The embedded default, or with containers for processes, without a server around it."""

    def __init__(self, folder: Path, engine: EngineInTests | None = None, *, size: int = 2) -> None:
        """`engine`: instances are its containers; `size`: how many instances a server group has."""
        self.size = size
        self.folder = folder
        self.engine = engine
        self.source = MemoryRegistry()
        self.image = self.source.add("shop", "1", IMAGE, CONFIG) if engine is None else engine.image
        self.faults = Faults()
        cloud = self._refusing(LocalProvider if engine is None else DockerProvider)
        self.harness = Harness(
            *(flow_plugin, deploy_plugin, self._balancing(), cloud),
            time=RealTime(),
            data=folder,
            settings=Settings(docker={} if engine is None else {"local": engine.settings}),
            registries={"local-registry": self.source},
        )

    def _refusing(self, kind: type[LocalProvider] | type[DockerProvider]) -> Plugin:
        """The provider behind faults; what keeps its instances going doesn't meet them."""
        made: list[LocalProvider | DockerProvider] = []

        def cloud(services: Services) -> CloudProvider:
            made.append(kind.of(services))
            return FaultyCloud(made[-1], self.faults, services.clock, {})

        async def keep(_: Services) -> None:
            await made[-1].keep()

        return Plugin(name=kind.name, clouds=(cloud,), services=(Service(name=f"{kind.name}-instances", run=keep),))

    def _balancing(self) -> Plugin:
        """Caddy, likewise."""
        made: list[CaddyProvider] = []

        def balancers(services: Services) -> TrafficProvider:
            made.append(CaddyProvider.of(services))
            return FaultyTraffic(made[-1], self.faults)

        async def keep(services: Services) -> None:
            await caddy.keep(replace(services, traffic={CaddyProvider.name: made[-1]}))

        return Plugin(name="caddy", traffic=(balancers,), services=(Service(name="caddy-keeper", run=keep),))

    def close(self) -> None:
        """Ends whatever was started."""
        asyncio.run(self._close())

    async def _close(self) -> None:
        program = CaddyProgram(self.folder / "caddy", self.harness.documents("caddy.program"), CaddySettings())
        await program.stop(timedelta(seconds=5))
        for kind in ("instances", "jobs"):
            await Processes(self.folder / "local" / kind).stop_all(timedelta(seconds=3))
        if self.engine is not None:
            await asyncio.to_thread(self.engine.remove_all)

    def deploy(self, version: str, **keys: Json) -> JsonObject:
        """A pipeline that deploys this version; `sick` never answers its health check well."""
        environment: JsonObject = {"VERSION": version, **({"HEALTH": "500"} if version == "sick" else {})}
        cluster: JsonObject = {
            "account": "local",
            "region": "local",
            "cloudProvider": "local" if self.engine is None else "docker",
            "stack": "prod",
            "capacity": {"min": self.size, "max": self.size, "desired": self.size},
            "loadBalancers": ["shop-prod"],
            "image": self.image,
            "version": version,
            "environment": environment,
            "upTimeout": "PT15M",
            "gracePeriod": "PT0S",
            **keys,
        }
        stage: JsonObject = {"refId": "1", "type": "deploy", "name": "Deploy", "clusters": [cluster]}
        return {"application": "shop", "name": "deliver", "stages": [stage]}
