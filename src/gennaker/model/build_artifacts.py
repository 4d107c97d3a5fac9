"""Build artifacts: what the files that a build has left mean, read off their names as Igor does.

`shop_1.2.3-4_amd64.deb` is the package `shop` in the version `1.2.3-4`. Of very many files the most telling are kept: the
build's description becomes part of the execution.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject

MOST = 20
_PREFERRED = ("deb", "rpm", "properties", "yml", "json", "xml", "html", "txt", "nupkg")
_PACKAGES = {
    "deb": re.compile(r"(?P<name>[^_]+)_(?P<version>[^_]+)_[^_]+\.deb"),
    "rpm": re.compile(r"(?P<name>.+)-(?P<version>[^-]+-[^-]+)\.rpm"),
}


def described(info: JsonObject, patterns: Mapping[str, re.Pattern[str]]) -> JsonObject:
    """The build JSON with its artifacts decorated, and not more of them than `MOST`.

    `patterns`: by artifact type, matched against whole file names before the packages that everybody knows.
    """
    listed = foreign.mappings(info.get("artifacts"))
    if not listed:
        return info
    known = [*patterns.items(), *((kind, one) for kind, one in _PACKAGES.items() if kind not in patterns)]
    artifacts: list[Json] = [_decorated(one, known) for one in _fewer(listed)]
    return {**info, "artifacts": artifacts}


def _fewer(listed: list[JsonObject]) -> list[JsonObject]:
    return listed if len(listed) <= MOST else sorted(listed, key=_rank)[:MOST]


def _rank(artifact: JsonObject) -> int:
    ending = PurePosixPath(foreign.text(artifact.get("fileName"))).suffix.removeprefix(".").lower()
    return _PREFERRED.index(ending) if ending in _PREFERRED else len(_PREFERRED)


def _decorated(artifact: JsonObject, known: Iterable[tuple[str, re.Pattern[str]]]) -> JsonObject:
    file = foreign.text(artifact.get("fileName"))
    for kind, named in known:
        found = named.fullmatch(file)
        if found is not None:
            read: JsonObject = {key: value for key, value in found.groupdict().items() if key in ("name", "version")}
            return {**artifact, "type": kind, "reference": file, **read, "decorated": True}
    return artifact
