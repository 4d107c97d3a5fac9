"""Accounts of chart repositories: `helm/chart` by name and version, and their index as `helm/index`.

A chart may lie elsewhere than its repository (the index gives addresses); credentials go to the repository's own address only.
"""

from collections.abc import Sequence
from urllib.parse import urljoin

import msgspec

from gennaker.interfaces.artifacts import ArtifactUnavailable
from gennaker.interfaces.secrets import Secrets
from gennaker.model import foreign, semantic_versions
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.artifacts.accounts import FileAccount
from gennaker.plugins.artifacts.chart_indexes import Entry, LastIndex, chosen
from gennaker.settings import ArtifactAccountSettings

_INDEX = "helm/index"


class ChartAccount:
    """One repository."""

    def __init__(
        self,
        name: str,
        settings: ArtifactAccountSettings,
        *,
        allowed: tuple[str, ...] = (),
        secrets: Secrets | None = None,
    ) -> None:
        """`allowed`: `host:port` inside that may be read from. Nothing is asked yet."""
        self.name = name
        self.types = ("helm/chart", _INDEX)
        self._address = settings.address.rstrip("/") + "/"
        as_files = msgspec.structs.replace(settings, type="http")
        self._last = LastIndex()
        self._files = FileAccount(name, as_files, allowed=allowed, secrets=secrets)

    async def fetch(self, artifact: JsonObject) -> bytes:
        """Reads the index, and the chart at the first of its addresses that gives it."""
        index = await self._index()
        if foreign.text_at(artifact, "type") == _INDEX:
            return index
        name, version = foreign.text_at(artifact, "name"), foreign.text_at(artifact, "version")
        entries = (await self._last.charts(index)).get(name, ())
        found = chosen(entries, version)
        if found is None or not found.addresses:
            raise Refused(self._no_chart(name, version, entries))
        failure: Refused | ArtifactUnavailable | None = None
        for address in found.addresses:
            try:
                return await self._read(urljoin(self._address, address))
            except (Refused, ArtifactUnavailable) as error:
                failure = failure or error
        assert failure is not None
        raise failure

    async def artifact_names(self) -> tuple[str, ...]:
        """The charts of the index."""
        return tuple(sorted(await self._last.charts(await self._index())))

    async def artifact_versions(self, name: str) -> tuple[str, ...]:
        """Those that the index has of a chart, by semver's precedence."""
        entries = (await self._last.charts(await self._index())).get(name, ())
        found = [one.version for one in entries if one.version]
        if not found:
            raise Refused(self._no_chart(name, "", ()), status=404)
        return semantic_versions.newest_first(found)

    async def _index(self) -> bytes:
        return await self._read(urljoin(self._address, "index.yaml"))

    async def _read(self, address: str) -> bytes:
        return await self._files.fetch({"reference": address})

    def _no_chart(self, name: str, version: str, entries: Sequence[Entry]) -> Problem:
        there = ", ".join(one.version for one in entries[:5])
        named = f"the version {version} of the chart {name!r}" if version and entries else f"the chart {name!r}"
        return Problem(
            code="artifact.no_chart",
            message=f"The repository of {self.name} doesn't have {named}.",
            remedy=f"It has {there}." if there else "Correct the artifact's name, which is the chart's.",
        )
