"""Images: what the engine has, pulled by digest where it hasn't."""

import asyncio
import base64
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec

from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.secrets import OF_SETTINGS, Secrets
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.docker import problems
from gennaker.plugins.docker.engine import Engine
from gennaker.settings import DockerSettings


class EngineImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that the engine has."""

    reference: str
    """With its digest."""
    id: str
    """The engine's."""
    ports: tuple[int, ...] = ()
    """TCP, exposed."""
    environment: dict[str, str] = {}
    working_folder: str = "/"
    stop_signal: str = "SIGTERM"
    has_command: bool = True


class Images:
    """The images of one engine."""

    def __init__(
        self, engine: Engine, settings: DockerSettings, registries: Mapping[str, ImageRegistry], secrets: Secrets
    ) -> None:
        """`registries` by account: those that can be asked what a tag names."""
        self._engine = engine
        self._settings = settings
        self._registries = registries
        self._secrets = secrets
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ready(self, reference: str) -> EngineImage:
        """The image, in the engine. Raises Refused, EngineUnreachable."""
        _check(reference)
        async with self._locks[reference]:
            pinned = await self._pinned(reference)
            found = await self._inspect(pinned)
            if found is None:
                await self._engine.pull(pinned, credentials=await self._credentials(pinned))
                found = await self._inspect(pinned)
            if found is None:
                raise problems.refused(
                    "No such image", account=self._engine.account, about=f"{pinned} after its pull", status=404
                )
            return _read(pinned, found)

    async def _pinned(self, reference: str) -> str:
        """With a digest, as far as somebody can be asked; of what a registry denies nothing is pulled."""
        host, _, rest = reference.partition("/")
        registry = next((one for one in self._registries.values() if one.host == host), None)
        if registry is None:
            return reference
        repository, version = _parts(rest)
        if "@" in reference and await self._inspect(reference) is not None:
            return reference
        digest = await registry.resolve(repository, version)
        if digest is None:
            raise _unknown(reference)
        return f"{host}/{repository}@{digest}"

    async def _inspect(self, reference: str) -> JsonObject | None:
        path = f"/images/{quote(reference, safe='/:@')}/json"
        answer = await self._engine.ask("GET", path, about=f"The image {reference} can't be looked at")
        return None if answer is None else answer.json

    async def _credentials(self, reference: str) -> str:
        host = reference.partition("/")[0]
        known = next((one for one in self._settings.registries if one.host == host), None)
        if known is None:
            return ""
        if known.password:
            password = str(await self._secrets.fill(known.password, OF_SETTINGS))
        else:
            password = await self._from_file(known.password_file, host)
            self._secrets.know(password)
        signed = {"username": known.username, "password": password, "serveraddress": host}
        return base64.urlsafe_b64encode(encode(signed)).decode()

    async def _from_file(self, file: str, host: str) -> str:
        try:
            return (await asyncio.to_thread(Path(file).read_text)).strip()
        except OSError as error:
            raise Refused(
                Problem(
                    code="docker.registry_password",
                    message=f"The password file {file!r} of the registry {host} can't be read: {error.strerror}.",
                    remedy=f"Mend password-file, or give password, in [docker.{self._engine.account}.registries].",
                )
            ) from error


def _read(reference: str, found: JsonObject) -> EngineImage:
    config = _object(found.get("Config"))
    variables = (str(one).partition("=") for one in _list(config.get("Env")))
    return EngineImage(
        reference=_with_digest(reference, found),
        id=str(found.get("Id", "")),
        ports=tuple(sorted(_tcp_ports(_object(config.get("ExposedPorts"))))),
        environment={key: value for key, _, value in variables},
        working_folder=str(config.get("WorkingDir") or "/"),
        stop_signal=str(config.get("StopSignal") or "SIGTERM"),
        has_command=bool(config.get("Entrypoint") or config.get("Cmd")),
    )


def _tcp_ports(exposed: JsonObject) -> Iterator[int]:
    """What isn't `8080/tcp` is no port that could be published: an image's builder may have written anything."""
    for written in exposed:
        number, _, protocol = written.partition("/")
        if protocol == "tcp" and (port := foreign.port(number)) is not None:
            yield port


def _with_digest(reference: str, found: JsonObject) -> str:
    """Raises Refused if the engine's image isn't the one that was asked for, or nobody knows its digest."""
    repository, at, digest = reference.partition("@")
    digests = [str(one) for one in _list(found.get("RepoDigests"))]
    if at:
        if any(one.endswith(f"@{digest}") for one in digests) or found.get("Id") == digest:
            return reference
        raise Refused(
            Problem(
                code="image.digest_mismatch",
                message=f"The engine's image {repository} has the digests {', '.join(digests) or 'none'}, not {digest}.",
                remedy="Don't run it: push the image again, and remove the engine's.",
            ),
            status=422,
        )
    name, _ = _parts(repository)
    for one in digests:
        if one.startswith(f"{name}@"):
            return one
    raise Refused(
        Problem(
            code="image.no_digest",
            message=f"The engine knows no digest of {reference}.",
            remedy="Push the image to a registry, and name it with its digest.",
        )
    )


def _parts(reference: str) -> tuple[str, str]:
    """Repository, and tag or digest."""
    name, at, digest = reference.partition("@")
    before, colon, tag = name.rpartition(":")
    is_tagged = bool(colon) and "/" not in tag
    return (before if is_tagged else name), digest if at else tag if is_tagged else "latest"


def _check(reference: str) -> None:
    if not reference or any(sign.isspace() for sign in reference):
        raise Refused(
            Problem(
                code="image.reference",
                message=f"{reference!r} is not an image's name.",
                remedy="Write it like registry.example/shop@sha256:… .",
            )
        )


def _unknown(reference: str) -> Refused:
    return Refused(
        Problem(
            code="image.unknown",
            message=f"There is no image {reference}.",
            remedy="Look for a typing error in its name or tag, or push it first.",
        ),
        status=404,
    )


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
