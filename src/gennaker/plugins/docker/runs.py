"""Runs: an instance's attempt as a container of its own."""

import time
from collections.abc import Awaitable, Callable

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.docker import options as container_options
from gennaker.plugins.docker import problems
from gennaker.plugins.docker.containers import Container, Containers, Wanted
from gennaker.plugins.docker.images import EngineImage, Images
from gennaker.plugins.docker.options import Options
from gennaker.settings import DockerSettings
from gennaker.transport.instances.keeping import RunsUnknown
from gennaker.transport.instances.records import GroupRecord, InstanceRecord
from gennaker.transport.processes import EndReason, ProcessState, ProcessStatus

PREFIX = "instance/"
"""Begins the keys of containers that are instances."""
_USUAL_PORT = 8080
_BEGINNING = 10.0
"""Seconds that a program may take until it listens to signals."""
_AGAIN = 2.0
"""Seconds after which one that may not have listened yet is told once more."""


class ContainerRuns:
    """Offers `transport.instances.keeping.Runs`."""

    def __init__(
        self,
        containers: Containers,
        images: Images,
        settings: DockerSettings,
        owner: Callable[[], Awaitable[str]],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`owner`: the installation, once it is known. `now`: in seconds since whenever."""
        self._containers = containers
        self._images = images
        self._settings = settings
        self._owner = owner
        self._unstartable: dict[str, str] = {}
        """By run: why it could not be started."""
        self._kill_at: dict[str, float] = {}
        """By run that was told to end."""
        self._started: dict[str, float] = {}
        """By run that was started from here."""
        self._told: dict[str, float] = {}
        """By run: when it was told to end last."""
        self._now = now

    async def look(self) -> None:
        """Raises EngineUnreachable where the engine can't even list its containers."""
        await self._seen()

    async def groups(self) -> frozenset[str]:
        """Server groups of which there is any container."""
        return frozenset(_group(key) for key in await self._seen() if key.startswith(PREFIX))

    async def statuses(self, names: tuple[str, ...]) -> dict[str, ProcessStatus | None]:
        """All of them as they are now."""
        if not names:
            return {}
        seen = await self._seen()
        return {name: await self._status(name, seen.get(PREFIX + name)) for name in names}

    async def start(self, record: GroupRecord, one: InstanceRecord, name: str) -> None:
        """Makes and starts it, unless that has been done."""
        found = (await self._listed()).get(PREFIX + name)
        options = container_options.of_server_group(record.new.provider_options, self._settings)
        image = await self._images.ready(record.new.image)
        try:
            made = found.id if found else await self._create(record, one, name, image=image, options=options)
            await self._containers.start(made, name)
            self._started.setdefault(name, self._now())
        except RunsUnknown:
            raise
        except Refused as refused:
            # Counts as an attempt, so that the next comes after a pause, and with another port.
            self._unstartable[name] = str(refused)

    async def stop(self, name: str, drain_seconds: float) -> None:
        """Sends the image's stop signal, and KILL after the time.

        The kernel drops a signal that the first process of a container has no handler for. So a program that was told while it may not
        have set one up yet is told again, else it would be waited for as long as requests might take.
        """
        found = (await self._seen()).get(PREFIX + name)
        if found is None or found.is_over:
            return
        now = self._now()
        last = self._told.get(name)
        if now >= self._kill_at.setdefault(name, now + drain_seconds):
            await self._containers.signal(found.id, "SIGKILL")
        elif last is None or (now - last >= _AGAIN and last - self._started.get(name, float("-inf")) < _BEGINNING):
            self._told[name] = now
            await self._containers.signal(found.id, found.stop_signal)

    async def tail(self, name: str, lines: int) -> str:
        """The end of its output, or why it never could have any."""
        if name in self._unstartable:
            return self._unstartable[name]
        found = (await self._seen()).get(PREFIX + name)
        return await self._containers.tail(found.id, lines) if found else ""

    async def remove(self, name: str) -> None:
        """Removes its container."""
        found = (await self._listed()).get(PREFIX + name)
        if found is not None:
            await self._containers.remove(found.id)
        self._unstartable.pop(name, None)
        for known in (self._kill_at, self._started, self._told):
            known.pop(name, None)

    async def remove_group(self, group: str) -> None:
        """Removes all containers of a server group, also those that run."""
        for key in await self._listed():
            if key.startswith(PREFIX) and _group(key) == group:
                await self.remove(key.removeprefix(PREFIX))

    async def _seen(self) -> dict[str, Container]:
        return await self._containers.seen(await self._owner())

    async def _listed(self) -> dict[str, Container]:
        return await self._containers.list(await self._owner())

    async def _status(self, name: str, found: Container | None) -> ProcessStatus | None:
        if name in self._unstartable:
            return ProcessStatus(
                name=name, state=ProcessState.ENDED, reason=EndReason.UNSTARTABLE, message=self._unstartable[name]
            )
        return None if found is None else await self._containers.status(found)

    async def _create(
        self, record: GroupRecord, one: InstanceRecord, name: str, *, image: EngineImage, options: Options
    ) -> str:
        port = port_of(image, options, record.new.environment)
        own = {"PORT": str(port), "HOST": "0.0.0.0"}  # noqa: S104 - the container's
        published: JsonObject = {f"{port}/tcp": [{"HostIp": self._settings.instance_host, "HostPort": str(one.port)}]}
        body: JsonObject = {
            "ExposedPorts": {f"{port}/tcp": {}},
            "HostConfig": {**container_options.host_config(options), "PortBindings": published},
            **({"Cmd": list(options.command)} if options.command else {}),
            **({"User": options.user} if options.user else {}),
        }
        wanted = Wanted(
            key=PREFIX + name,
            image=image.id,
            body=body,
            environment={**record.new.environment, **own, **record.facts(one)},
            application=record.new.application,
            labels={**record.new.labels, "gennaker.server-group": record.name},
            options=options,
            stop_signal=image.stop_signal,
        )
        return await self._containers.create(await self._owner(), wanted)


def _group(key: str) -> str:
    return key.removeprefix(PREFIX).partition("/")[0]


def port_of(image: EngineImage, options: Options, given: dict[str, str]) -> int:
    """On which the program in the container listens. Raises Refused if nobody can say."""
    if options.port:
        return options.port
    said = given.get("PORT") or image.environment.get("PORT") or ""
    if port := foreign.port(said):
        return port
    if len(image.ports) > 1:
        listed = ", ".join(str(port) for port in image.ports)
        message = f"The image {image.reference} exposes several ports ({listed})."
        raise problems.option("port", message, "Say with `container.port` which one serves.")
    return next(iter(image.ports), _USUAL_PORT)


def check(image: EngineImage, options: Options, given: dict[str, str]) -> None:
    """Raises Refused for an image that can't be an instance."""
    port_of(image, options, given)
    if not image.has_command and not options.command:
        raise problems.option(
            "command",
            f"The image {image.reference} has neither an entrypoint nor a command.",
            "Give it one when it is built, or write `container.command`.",
        )
