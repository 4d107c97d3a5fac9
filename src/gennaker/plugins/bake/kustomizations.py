"""Kustomizations: what one refers to must lie beside it, so that nothing is fetched from anywhere while it is built.

Kustomize itself would read addresses and clone repositories that a kustomization names, with the server's network. Here what it
refers to is checked first; of an artifact that is a single file, the files beside it are read by the artifact's own account.
Kustomize takes keys in any case, so only those are let through that are written as it writes them; and an address is one even
where a folder of that name lies in the artifact. Generators, transformers and validators may fetch by themselves: they are refused.
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlsplit

import msgspec

from gennaker.model import foreign, plain_yaml
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_FOLDERS = ("bases", "components")
"""Keys of folders; in `resources` there may be both."""
_EITHER = ("resources", "crds", "configurations")
_PLUGINS = ("generators", "transformers", "validators")
_GENERATORS = ("configMapGenerator", "secretGenerator")
_ENTRIES = ("patches", "patchesJson6902", "replacements", *_GENERATORS)
_NAMING = frozenset({"path", "files", "envs", "env"})
"""Keys of their entries by which files are named."""
_PLAIN = frozenset(
    {
        *(
            "apiVersion",
            "kind",
            "metadata",
            "namePrefix",
            "nameSuffix",
            "namespace",
            "commonLabels",
            "labels",
            "openapi",
        ),
        *("commonAnnotations", "images", "replicas", "vars", "sortOptions", "generatorOptions", "buildMetadata"),
    }
)
_PATCHES = "patchesStrategicMerge"
_KEYS = frozenset({*_PLAIN, *_ENTRIES, *_FOLDERS, *_EITHER, _PATCHES})
_ADDRESS = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*:|.*:/|//|git@", re.DOTALL)
_MANIFESTS = (".yaml", ".yml", ".json")
_MOST_FILES = 300
_MOST_BYTES = 30_000_000
Read = Callable[[str], Awaitable[bytes]]
"""The content at an address beside the artifact. Raises Refused where there is none."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """What a kustomization names."""

    path: str
    may_be_folder: bool = False


def check(root: Path, start: Path) -> None:
    """All that can be reached from the kustomization in folder `start` lies below `root`. Raises Refused with all that doesn't."""
    root, left, seen = root.resolve(), [start.resolve()], set[Path]()
    problems: list[Problem] = []
    while left:
        folder = left.pop()
        if folder in seen:
            continue
        seen.add(folder)
        file = next((folder / name for name in NAMES if (folder / name).is_file()), None)
        if file is None:
            problems.append(_problem(_shown(folder, root), "has no kustomization.yaml"))
            continue
        read = _read(file.read_bytes(), _shown(file, root))
        problems += [_problem(_shown(file, root), said) for said in _refused(read)]
        for one in references(read):
            target = (folder / one.path).resolve()
            if _ADDRESS.match(one.path) or not target.is_relative_to(root) or not target.exists():
                problems.append(
                    _problem(_shown(file, root), f"refers to {one.path[:200]!r}, which isn't in the artifact")
                )
            elif target.is_dir():
                left.append(target)
    if problems:
        raise Refused(*problems, status=422)


async def gather(address: str, content: bytes, root: Path, read: Read) -> Path:
    """Writes the kustomization at an address and all that it refers to below `root`; returns its folder. Raises Refused.

    Addresses become paths as they are: a base in `../base` lies where it lay.
    """
    fetched, size, left = {address: content}, 0, [address]
    while left:
        at = left.pop()
        size += len(fetched[at])
        if len(fetched) > _MOST_FILES or size > _MOST_BYTES:
            raise Refused(_problem(address, f"refers to more than {_MOST_FILES} files or {_MOST_BYTES:,} bytes"))
        file = root / _path(at)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(fetched[at])
        if file.name not in NAMES:
            continue
        for one in references(_read(fetched[at], at)):
            found, data = await _fetch(at, one, read)
            if found not in fetched:
                fetched[found] = data
                left.append(found)
    return (root / _path(address)).parent


async def _fetch(at: str, one: Reference, read: Read) -> tuple[str, bytes]:
    """The file, or the kustomization in the folder that is meant."""
    target = _beside(at, one.path)
    if not one.may_be_folder or PurePosixPath(one.path).suffix in _MANIFESTS:
        return target, await read(target)
    refused: Refused | None = None
    for name in NAMES:
        candidate = _beside(at, f"{one.path.rstrip('/')}/{name}")
        try:
            return candidate, await read(candidate)
        except Refused as error:
            refused = refused or error
    assert refused is not None
    raise refused


def references(kustomization: JsonObject) -> Iterator[Reference]:
    """All files and folders that it names; what is written out in it, by lines, isn't one."""
    yield from _listed(kustomization)
    for key in ("patches", "patchesJson6902", "replacements"):
        for item in foreign.mappings_at(kustomization, key):
            if item.get("path"):
                yield Reference(path=foreign.text_at(item, "path"))
    for key in _GENERATORS:
        for item in foreign.mappings_at(kustomization, key):
            yield from _generated(item)
    if path := foreign.text_at(foreign.mapping(kustomization.get("openapi")), "path"):
        yield Reference(path=path)


def _listed(kustomization: JsonObject) -> Iterator[Reference]:
    for key in (*_FOLDERS, *_EITHER, _PATCHES):
        for one in foreign.items(kustomization.get(key)):
            text = foreign.text(one)
            if key != _PATCHES or "\n" not in text:
                yield Reference(path=text, may_be_folder=key != _PATCHES)


def _refused(kustomization: JsonObject) -> Iterator[str]:
    """What isn't let through whatever it names."""
    for key in kustomization:
        if key in _PLUGINS:
            yield f"has {key}, which may fetch by themselves and aren't offered"
        elif key not in _KEYS:
            yield f"has the key {key[:80]!r}, which is none of kustomize's that are offered, in just this spelling"
    entries = [item for key in _ENTRIES for item in foreign.mappings_at(kustomization, key)]
    for item in (*entries, foreign.mapping(kustomization.get("openapi"))):
        for key in item:
            if not key.isascii() or (key.lower() in _NAMING and key not in _NAMING):
                yield f"has the key {key[:80]!r} in an entry, which kustomize writes in lower case"


def _generated(item: JsonObject) -> Iterator[Reference]:
    files = [*foreign.items(item.get("files")), *foreign.items(item.get("envs")), item.get("env")]
    for one in files:
        text = foreign.text(one)
        if text:
            yield Reference(path=text.partition("=")[2] or text)


def _beside(at: str, path: str) -> str:
    """The address of a path as seen from a file. Raises Refused where it is another server's."""
    origin, target = urlsplit(at), urlsplit(urljoin(at, path))
    same = (origin.scheme, origin.netloc) == (target.scheme, target.netloc)
    if not same or urlsplit(path).scheme or path.startswith("/"):
        raise Refused(_problem(at, f"refers to {path[:200]!r}, which isn't beside it"), status=422)
    return target._replace(query=origin.query).geturl()


def _path(address: str) -> str:
    """Without what the server would take for the way out; addresses come from urljoin, which leaves no dots."""
    parts = [part for part in urlsplit(address).path.split("/") if part not in ("", ".", "..")]
    return "/".join(parts)


def _read(content: bytes, name: str) -> JsonObject:
    try:
        return foreign.mapping(plain_yaml.read(content))
    except plain_yaml.NotPlain as error:
        raise Refused(_problem(name, f"isn't YAML: {error}"), status=422) from error


def _shown(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


def _problem(name: str, said: str) -> Problem:
    return Problem(
        code="bake.kustomization",
        message=f"{name} {said}.",
        remedy="Kustomizations are built from what is in their artifact: add it there, e.g. by an artifact of the type git/repo.",
    )
