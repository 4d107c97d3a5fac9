"""Accounts of chart repositories: `helm/chart` by name and version, and their index as `helm/index`.

A chart may lie elsewhere than its repository (the index gives addresses); credentials go to the repository's own address only.
"""

import asyncio
import re
from urllib.parse import urljoin

import msgspec
import yaml

from gennaker.interfaces.artifacts import ArtifactUnavailable
from gennaker.interfaces.secrets import Secrets
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.artifacts.accounts import FileAccount
from gennaker.settings import ArtifactAccountSettings

_NUMBERS = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?\Z")
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
        self._files = FileAccount(name, as_files, allowed=allowed, secrets=secrets)

    async def fetch(self, artifact: JsonObject) -> bytes:
        """Reads the index, and the chart at the first of its addresses that gives it."""
        index = await self._read(urljoin(self._address, "index.yaml"))
        if foreign.text_at(artifact, "type") == _INDEX:
            return index
        name, version = foreign.text_at(artifact, "name"), foreign.text_at(artifact, "version")
        entries = await asyncio.to_thread(_entries, index, name)
        found = chosen(entries, version)
        addresses = [foreign.text(one) for one in foreign.items(foreign.mapping(found).get("urls"))]
        if not addresses:
            raise Refused(self._no_chart(name, version, entries))
        failure: Refused | ArtifactUnavailable | None = None
        for address in addresses:
            try:
                return await self._read(urljoin(self._address, address))
            except (Refused, ArtifactUnavailable) as error:
                failure = failure or error
        assert failure is not None
        raise failure

    async def _read(self, address: str) -> bytes:
        return await self._files.fetch({"reference": address})

    def _no_chart(self, name: str, version: str, entries: list[JsonObject]) -> Problem:
        there = ", ".join(foreign.text_at(one, "version") for one in entries[:5])
        named = f"the version {version} of the chart {name!r}" if version and entries else f"the chart {name!r}"
        return Problem(
            code="artifact.no_chart",
            message=f"The repository of {self.name} doesn't have {named}.",
            remedy=f"It has {there}." if there else "Correct the artifact's name, which is the chart's.",
        )


def chosen(entries: list[JsonObject], version: str) -> JsonObject | None:
    """The entry of a version; without one the highest, of which released ones go before those before a release."""
    if version:
        return next((one for one in entries if foreign.text_at(one, "version") == version), None)
    return max(entries, key=lambda one: _order(foreign.text_at(one, "version")), default=None)


def _order(version: str) -> tuple[bool, tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]:
    """By semver's precedence; what is no version comes first."""
    found = _NUMBERS.match(version)
    if found is None:
        return (False, (), False, ())
    numbers = tuple(int(one or 0) for one in found.groups()[:3])
    before = found[4] or ""
    parts = tuple((not one.isdigit(), int(one) if one.isdigit() else 0, one) for one in before.split(".") if one)
    return (True, numbers, not before, parts)


def _entries(index: bytes, name: str) -> list[JsonObject]:
    try:
        found: Json = yaml.load(index, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # noqa: S506 - texts only
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        message = f"The index of the chart repository isn't YAML: {said}."
        raise Refused(Problem(code="artifact.no_index", message=message)) from error
    return foreign.mappings_at(foreign.mapping(foreign.mapping(found).get("entries")), name)
