"""Options: what a cluster's key `container` may say, and the engine's words for it."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec

from gennaker.model.codec import Json, JsonObject
from gennaker.plugins.docker import problems
from gennaker.settings import DockerSettings

SECRETS_FOLDER = "/run/secrets"
_HOST = "host"
"""The network of the engine's machine itself."""
_NETWORK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""Nothing like `container:ID`, which is another container's network."""
_LOG_SIZE = "10m"
_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_LEAST_MEMORY = 6 * 2**20
_NANO = 1_000_000_000


class Mount(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A folder of the engine's machine."""

    source: str
    target: str
    read_only: bool = True


class Options(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The key `container` of a cluster, or of a job's stage."""

    port: int = 0
    """On which the program listens; 0: as the image says."""
    command: tuple[str, ...] = ()
    """Instead of the image's command."""
    networks: tuple[str, ...] = ()
    """Of the engine, which must exist; the first is the container's main one. Empty: the engine's usual one. Jobs: also `host`."""
    memory: str = ""
    """`256m`; more than that, and the engine kills it. Empty: no limit."""
    cpus: float = 0
    pids: int = 0
    """Most processes and threads."""
    user: str = ""
    secrets: tuple[str, ...] = ()
    """Names of the account's secrets."""
    mounts: tuple[Mount, ...] = ()
    read_only: bool = False
    """Nothing may be written but to mounts and /tmp."""
    init: bool = False
    """A small first process that hands on signals and reaps children (`docker run --init`)."""


def of_server_group(given: JsonObject, settings: DockerSettings) -> Options:
    """The options of a cluster's JSON. Raises Refused for what can't be followed."""
    found = _read(given, settings)
    if _HOST in found.networks:
        message = "Instances can't run in the machine's own network: each is published on a port of its own."
        raise problems.option("networks", message, "Name a network of the engine, or none.")
    return found


def of_job(given: JsonObject, settings: DockerSettings) -> Options:
    """The options of a job's JSON. Raises Refused for what can't be followed."""
    found = _read(given, settings)
    if found.command or found.port:
        key = "command" if found.command else "port"
        raise problems.option(key, f"Jobs have no `container.{key}`.", "A job's command is the stage's `command`.")
    if _HOST in found.networks and not settings.host_network:
        message = "Jobs of this account may not run in the machine's own network."
        raise problems.option("networks", message, "Have `host-network = true` added to the account's settings.")
    return found


def _read(given: JsonObject, settings: DockerSettings) -> Options:
    try:
        found = msgspec.convert(given.get("container") or {}, Options, strict=False)
    except msgspec.ValidationError as error:
        raise problems.option(
            "", f"`container` isn't as it should be: {error}.", "See docs/guides/containers.md."
        ) from error
    for name in found.secrets:
        if name not in settings.secrets:
            known = ", ".join(sorted(settings.secrets)) or "none"
            message = f"The account has no secret {name!r} (known: {known})."
            raise problems.option("secrets", message, "Name it in its settings, with the file that holds it.")
    for mount in found.mounts:
        if not _is_allowed(mount.source, settings.mounts):
            allowed = ", ".join(settings.mounts) or "none"
            message = f"The folder {mount.source} may not be mounted (allowed: {allowed})."
            raise problems.option("mounts", message, "Have it added to `mounts` of the account's settings.")
    for network in found.networks:
        if not _NETWORK.fullmatch(network):
            raise problems.option("networks", f"{network!r} is no network's name.", "Write a network of the engine.")
    if _HOST in found.networks and len(found.networks) > 1:
        raise problems.option("networks", "Whoever is in the machine's network is in no other.", "Name `host` alone.")
    memory_bytes(found.memory)
    if found.cpus < 0 or found.pids < 0 or not 0 <= found.port <= 65_535:
        raise problems.option(
            "", "cpus, pids and port can't be negative, nor a port above 65535.", "Write another number."
        )
    return found


def memory_of(given: JsonObject) -> int:
    """Bytes that an instance with these options may have at most, as they were taken once; 0: no limit."""
    container = given.get("container")
    memory = container.get("memory") if isinstance(container, dict) else None
    return memory_bytes(str(memory)) if memory else 0


def memory_bytes(text: str) -> int:
    """`256m` as bytes; empty: 0."""
    if not text:
        return 0
    match = re.fullmatch(r"([0-9]{1,15})([bkmg]?)", text.strip().lower())
    size = int(match[1]) * _UNITS[match[2]] if match else 0
    if size < _LEAST_MEMORY:
        raise problems.option("memory", f"{text!r} is no amount of memory of at least 6m.", "Write it like 256m or 2g.")
    return size


def host_config(options: Options) -> JsonObject:
    """What the engine is told of limits, mounts and networks."""
    wanted: dict[str, Json] = {
        "Memory": memory_bytes(options.memory),
        "NanoCpus": int(options.cpus * _NANO),
        "PidsLimit": options.pids,
        "NetworkMode": next(iter(options.networks), ""),
        "ReadonlyRootfs": options.read_only,
        "Init": options.init,
        "Mounts": [
            {"Type": "bind", "Source": one.source, "Target": one.target, "ReadOnly": one.read_only}
            for one in options.mounts
        ],
    }
    return {
        **{key: value for key, value in wanted.items() if value},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": _LOG_SIZE}},
        **({"Tmpfs": {"/tmp": ""}} if options.read_only else {}),  # noqa: S108 - the container's
    }


def environment(*given: dict[str, str]) -> list[Json]:
    """Variables as the engine takes them; later ones win."""
    merged: dict[str, str] = {}
    for one in given:
        merged |= one
    return [f"{key}={value}" for key, value in sorted(merged.items())]


def _is_allowed(source: str, allowed: Sequence[str]) -> bool:
    path = PurePosixPath(source)
    return path.is_absolute() and ".." not in path.parts and any(path.is_relative_to(one) for one in allowed)
