"""The index of a chart repository: which charts it has, in which versions, at which addresses.

To read the YAML takes a second of CPU for each megabyte, and an index is asked for again and again: so what is needed of
the last one is kept, for as long as it stays the same.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from gennaker.model import foreign, plain_yaml, semantic_versions
from gennaker.model.codec import Json
from gennaker.model.problems import Problem, Refused

_MOST_ENTRIES = 200_000
"""As many as the largest file can have by itself; YAML's aliases could make more of it than memory holds."""
_MOST_ADDRESSES = 10
"""Of one version: mirrors."""


class Entry(msgspec.Struct, frozen=True):
    """One version of a chart."""

    version: str
    addresses: tuple[str, ...] = ()
    """Absolute, or from the repository's."""


Charts = Mapping[str, tuple[Entry, ...]]
"""By name, in the order of the index."""


class LastIndex:
    """What the last index of one repository had."""

    def __init__(self) -> None:
        """None yet."""
        self._known: tuple[bytes, Charts] | None = None
        self._reading = asyncio.Lock()

    async def charts(self, index: bytes) -> Charts:
        """Those of this index. Raises Refused where it can't be read."""
        async with self._reading:  # who comes meanwhile waits for it instead of reading it, too
            return await asyncio.to_thread(self._charts, index)

    def _charts(self, index: bytes) -> Charts:
        digest = hashlib.sha256(index).digest()
        if self._known is None or self._known[0] != digest:
            self._known = digest, _read(index)
        return self._known[1]


def chosen(entries: Sequence[Entry], version: str) -> Entry | None:
    """The entry of a version; without one the highest, of which released ones go before those before a release."""
    if version:
        return next((one for one in entries if one.version == version), None)
    return max(entries, key=lambda one: semantic_versions.precedence(one.version), default=None)


def _read(index: bytes) -> Charts:
    try:
        found = plain_yaml.read_texts(index)
    except plain_yaml.NotPlain as error:
        raise Refused(_unreadable(f"isn't YAML: {error}")) from error
    entries = foreign.mapping(foreign.mapping(found).get("entries"))
    if sum(len(foreign.items(listed)) for listed in entries.values()) > _MOST_ENTRIES:
        raise Refused(_unreadable(f"has more than {_MOST_ENTRIES:,} entries"))
    return {name: tuple(map(_entry, foreign.mappings(listed))) for name, listed in entries.items()}


def _entry(found: Mapping[str, Json]) -> Entry:
    addresses = foreign.items(found.get("urls"))[:_MOST_ADDRESSES]
    return Entry(version=foreign.text(found.get("version")), addresses=tuple(map(foreign.text, addresses)))


def _unreadable(said: str) -> Problem:
    return Problem(code="artifact.no_index", message=f"The index of the chart repository {said}.")
