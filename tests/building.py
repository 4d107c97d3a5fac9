"""Builds for tests: a small service in a repository, a harness with the build stage, and registries that outlive processes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes.virtual_time import RealTime
from tests.harness import Harness

from gennaker.interfaces.registry import ImageFacts, ImageRegistry
from gennaker.model.codec import JsonObject
from gennaker.plugins.build.plugin import plugin
from gennaker.plugins.oci.client import RegistryClient
from gennaker.plugins.oci.session import RegistryAccount
from gennaker.settings import BuilderSettings, Settings

SERVICE = "services/shop"
BUILD_FILE = """
service: shop
steps:
  - name: Note
    run: [sh, -c, "echo run >> $HOME/../../../../../../notes && echo noted"]
  - name: Tests
    kind: unit-tests
    run: cp ../../junit.xml reports/unit.xml
    reports: {junit: reports/unit.xml}
image:
  name: shop
"""
JUNIT = '<testsuite><testcase classname="t" name="ok" time="0.1"/></testsuite>'
FILES: Mapping[str, str] = {
    f"{SERVICE}/build.yaml": BUILD_FILE,
    f"{SERVICE}/VERSION": "1.2.3\n",
    f"{SERVICE}/Dockerfile": 'FROM scratch\nCOPY app.py /app.py\nENTRYPOINT ["python3", "/app.py"]\n',
    f"{SERVICE}/app.py": "print('hello')\n",
    "junit.xml": JUNIT,
}
"""The least that can be built. Its first step leaves a line in `<data>/notes` each time that it runs."""


class FreshClients:
    """The registry client, made anew for each call: its connections belong to the loop of the process that a test kills."""

    def __init__(self, host: str) -> None:
        self.host = host

    async def repositories(self) -> tuple[str, ...]:
        async with self._client() as client:
            return await client.repositories()

    async def tags(self, repository: str) -> tuple[str, ...]:
        async with self._client() as client:
            return await client.tags(repository)

    async def resolve(self, repository: str, reference: str) -> str | None:
        async with self._client() as client:
            return await client.resolve(repository, reference)

    async def inspect(self, repository: str, reference: str) -> ImageFacts | None:
        async with self._client() as client:
            return await client.inspect(repository, reference)

    async def push(self, layout: Path, digest: str, *, repository: str, tag: str) -> str:
        async with self._client() as client:
            return await client.push(layout, digest, repository=repository, tag=tag)

    async def pull(self, repository: str, reference: str, layout: Path) -> str:
        async with self._client() as client:
            return await client.pull(repository, reference, layout)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[RegistryClient]:
        client = RegistryClient(RegistryAccount(name="local-registry", address=f"http://{self.host}"))
        try:
            yield client
        finally:
            await client.close()


def harness(data: Path, registry: ImageRegistry | None = None, *, keeps: bool = False, concurrent: int = 1) -> Harness:
    """An installation that can build, with real processes."""
    data.mkdir(parents=True, exist_ok=True)
    return Harness(
        plugin,
        data=data,
        time=RealTime(),
        settings=Settings(builder=BuilderSettings(keep_workspaces=keeps, concurrent_builds=concurrent)),
        registries={"local-registry": registry} if registry else {},
    )


def pipeline(repository: Path, commit: str, keys: JsonObject | None = None) -> JsonObject:
    """A pipeline of one build; `keys` replace those of its stage."""
    stage: JsonObject = {
        "refId": "1",
        "type": "build",
        "name": "Build",
        "repository": str(repository),
        "commit": commit,
        "branch": "main",
        "service": SERVICE,
        "registryAccount": "local-registry",
        **(keys or {}),
    }
    return {"application": "shop", "name": "build-shop", "id": "p1", "stages": [stage]}


def notes(data: Path) -> int:
    """How often the first step of the small service has run."""
    file = data / "notes"
    return len(file.read_text().splitlines()) if file.exists() else 0
