"""Charts in registries: `helm/image` artifacts, read by the registry's account. The chart is the first layer."""

import asyncio
import tempfile
from pathlib import Path

from gennaker.interfaces.artifacts import ArtifactUnavailable
from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.services import Services
from gennaker.model import foreign, semantic_versions
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.transport.images import layout as layouts
from gennaker.transport.images import manifests

_LARGEST_BYTES = 20_000_000
_TOO_MANY = 429
_NAME_IT = "Name one of its repositories."


class ChartImages:
    """The charts of one registry."""

    def __init__(self, name: str, registry: ImageRegistry) -> None:
        """Nothing is asked yet."""
        self.name = name
        self.types = ("helm/image",)
        self._registry = registry

    async def fetch(self, artifact: JsonObject) -> bytes:
        """Pulls what `reference` (`host/repository:tag`), or else name and version, says."""
        repository, tag = self._named(artifact)
        with tempfile.TemporaryDirectory(prefix="gennaker-chart-") as folder:
            layout = Path(folder) / "layout"
            try:
                digest = await self._registry.pull(repository, tag, layout)
            except Refused as refused:
                raise _as_artifacts(refused) from refused
            return await asyncio.to_thread(_first_layer, layout, digest, f"{repository}:{tag}")

    async def artifact_names(self) -> tuple[str, ...]:
        """Every repository that the registry lists, charts or not: it doesn't say which is one."""
        try:
            found = await self._registry.repositories()
        except Refused as refused:
            raise _as_artifacts(refused) from refused
        return tuple(sorted(f"{self._registry.host}/{one}" for one in found))

    async def artifact_versions(self, name: str) -> tuple[str, ...]:
        """The repository's tags; the registry's host may be left out of the name."""
        repository = name.removeprefix("oci://").removeprefix(f"{self._registry.host}/")
        try:
            found = await self._registry.tags(repository)
        except Refused as refused:
            raise _as_artifacts(refused) from refused
        if not found:
            message = f"The registry of {self.name} has no chart {name!r}."
            raise Refused(Problem(code="artifact.no_chart", message=message, remedy=_NAME_IT), status=404)
        return semantic_versions.newest_first(found)

    def _named(self, artifact: JsonObject) -> tuple[str, str]:
        name, version = foreign.text_at(artifact, "name"), foreign.text_at(artifact, "version")
        text = foreign.text_at(artifact, "reference") or (f"{name}:{version}" if name and version else "")
        host, _, rest = text.removeprefix("oci://").partition("/")
        repository, _, tag = rest.partition("@") if "@" in rest else rest.rpartition(":")
        if host != self._registry.host or not repository or not tag:
            raise Refused(
                Problem(
                    code="artifact.chart_reference",
                    message=f"The artifact's reference {text!r} names no chart of the account {self.name}.",
                    remedy=f"Write {self._registry.host}/REPOSITORY:VERSION.",
                )
            )
        return repository, tag


def of_registries(services: Services) -> tuple[ChartImages, ...]:
    """One for each registry account."""
    return tuple(ChartImages(name, registry) for name, registry in services.registries.items())


def _first_layer(layout: Path, digest: str, name: str) -> bytes:
    layers = manifests.read_manifest(layouts.read_blob(layout, digest), "").layers
    if not layers or layers[0].size > _LARGEST_BYTES:
        said = f"its first layer is larger than {_LARGEST_BYTES:,} bytes" if layers else "it has no layer"
        raise Refused(Problem(code="artifact.no_chart", message=f"{name} is no chart: {said}."))
    return layouts.read_blob(layout, layers[0].digest)


def _as_artifacts(refused: Refused) -> Refused | ArtifactUnavailable:
    if refused.status >= 500 or refused.status == _TOO_MANY:
        return ArtifactUnavailable(str(refused))
    return Refused(*(_of_artifact(one) for one in refused.problems), status=refused.status)


def _of_artifact(problem: Problem) -> Problem:
    return Problem(code="artifact.not_given", message=problem.message, remedy=problem.remedy)
