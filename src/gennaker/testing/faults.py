"""Faults: a cloud and a traffic provider around fakes that refuse, break off, come up late or never, as tests say."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from gennaker.interfaces import traffic
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.clouds import (
    Capacity,
    CloudProvider,
    Health,
    Instance,
    Job,
    NewJob,
    NewServerGroup,
    Place,
    ServerGroup,
)
from gennaker.interfaces.routes import Routes, Routing
from gennaker.interfaces.traffic import LoadBalancer, Shares, TrafficProvider
from gennaker.model.problems import Problem, Refused


class Faults:
    """What goes wrong, by what is asked for; `calls` counts what was asked."""

    def __init__(self) -> None:
        self.up_after = timedelta()
        self.never_up: set[str] = set()
        """Images whose instances start and start and never answer."""
        self.fails_after: timedelta | None = None
        """After which those count as failed; None: never."""
        self.has_no_room = False
        """For those: then they are never called failed, whatever time that says."""
        self.crashing: set[str] = set()
        """Images whose instances crash."""
        self.is_silent = False
        """Load balancers say nothing of instances' health."""
        self.failures: list[tuple[str, Callable[[object], bool], Exception]] = []
        self.calls: list[tuple[str, object]] = []

    def refuse(
        self, operation: str, when: Callable[[object], bool] = lambda _: True, error: Exception | None = None
    ) -> None:
        """The next such call fails, once."""
        problem = Problem(code="fault", message=f"{operation} is refused.")
        self.failures.append((operation, when, error or Refused(problem)))

    def asked(self, operation: str, about: object) -> None:
        self.calls.append((operation, about))
        for failure in self.failures:
            if failure[0] == operation and failure[1](about):
                self.failures.remove(failure)
                raise failure[2]


class FaultyCloud:
    """Around a cloud provider in memory."""

    def __init__(self, inner: CloudProvider, faults: Faults, clock: Clock, begun: dict[str, datetime]) -> None:
        self._inner = inner
        self._faults = faults
        self._clock = clock
        self._begun = begun

    @property
    def name(self) -> str:
        return self._inner.name

    async def places(self) -> tuple[Place, ...]:
        return await self._inner.places()

    async def create(self, new: NewServerGroup) -> ServerGroup:
        self._faults.asked("create", new)
        self._begun.setdefault(new.name, self._clock.now())
        return self._seen(await self._inner.create(new))

    async def resize(self, place: Place, name: str, capacity: Capacity) -> None:
        self._faults.asked("resize", (name, capacity.desired))
        await self._inner.resize(place, name, capacity)

    async def set_disabled(self, place: Place, name: str, *, is_disabled: bool) -> None:
        self._faults.asked("set_disabled", (name, is_disabled))
        await self._inner.set_disabled(place, name, is_disabled=is_disabled)

    async def destroy(self, place: Place, name: str) -> None:
        self._faults.asked("destroy", name)
        await self._inner.destroy(place, name)
        self._begun.pop(name, None)

    async def describe(self, application: str) -> tuple[ServerGroup, ...]:
        return tuple(self._seen(one) for one in await self._inner.describe(application))

    async def logs(self, place: Place, name: str, instance_id: str, lines: int = 200) -> str:
        return await self._inner.logs(place, name, instance_id, lines)

    async def run_job(self, new: NewJob) -> Job:
        self._faults.asked("run_job", new)
        return await self._inner.run_job(new)

    async def job(self, place: Place, job_id: str) -> Job | None:
        return await self._inner.job(place, job_id)

    async def stop_job(self, place: Place, job_id: str) -> None:
        self._faults.asked("stop_job", job_id)
        await self._inner.stop_job(place, job_id)

    def _seen(self, group: ServerGroup) -> ServerGroup:
        return replace(group, instances=tuple(self._instance(group, one) for one in group.instances))

    def _instance(self, group: ServerGroup, one: Instance) -> Instance:
        if group.image in self._faults.crashing:
            return replace(one, health=Health.FAILED, health_reason="it crashed 3 times in a row: no module named shop")
        now = self._clock.now()  # once: a real clock goes on between two looks
        begun, patience = self._begun.get(group.name, now), self._faults.fails_after
        is_late = now < begun + self._faults.up_after
        if group.image not in self._faults.never_up and not is_late:
            return one
        fails_at = begun + patience if group.image in self._faults.never_up and patience is not None else None
        if self._faults.has_no_room:
            starting = replace(one, health=Health.STARTING, health_reason="0/3 nodes are available", fails_at=fails_at)
            return replace(starting, is_unplaced=True)
        health = Health.FAILED if fails_at is not None and now >= fails_at else Health.STARTING
        return replace(one, health=health, health_reason="GET /healthz answered 500", fails_at=fails_at)


class FaultyTraffic:
    """Around a traffic provider in memory."""

    def __init__(self, inner: TrafficProvider, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def routing(self) -> frozenset[Routing]:
        return self._inner.routing

    async def ensure(self, load_balancer: str, address: str | None = None) -> LoadBalancer:
        self._faults.asked("ensure", load_balancer)
        return await self._inner.ensure(load_balancer, address)

    async def check_routes(self, load_balancer: str, wanted: Sequence[Routes]) -> None:
        await self._inner.check_routes(load_balancer, wanted)

    async def set_weights(self, load_balancer: str, shares: Shares) -> None:
        self._faults.asked("set_weights", dict(shares))
        await self._inner.set_weights(load_balancer, shares)

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        return await self._inner.describe(load_balancer)

    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        return await self._inner.in_flight(load_balancer)

    async def health(self, load_balancer: str) -> Mapping[str, Health]:
        if self._faults.is_silent:
            raise Refused(Problem(code="load_balancer.silent", message=f"{load_balancer} does not answer."), status=502)
        return await traffic.health_of(self._inner, load_balancer) or {}

    async def remove(self, load_balancer: str) -> None:
        await self._inner.remove(load_balancer)
