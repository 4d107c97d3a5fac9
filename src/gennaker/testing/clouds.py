"""A cloud in memory: instances are up at once; an image that was not added can't be run."""

from datetime import UTC, datetime, timedelta

import msgspec

from gennaker.interfaces.clouds import (
    Capacity,
    Health,
    Instance,
    Job,
    NewJob,
    NewServerGroup,
    Place,
    ServerGroup,
)
from gennaker.model.moniker import parse
from gennaker.model.problems import Problem, Refused


class CloudState:
    """What survives the provider object."""

    def __init__(self) -> None:
        self.groups: dict[str, ServerGroup] = {}
        self.next_number: dict[str, int] = {}
        self.jobs: dict[str, Job] = {}
        self.images: set[str] = set()
        self.at = datetime(2026, 1, 1, tzinfo=UTC)


class FakeCloud:
    """Offers the ports CloudProvider and AllAtOnce. `run_job` runs nothing: a job stays up until a test ends it in the state."""

    name = "fake"

    def __init__(self, state: CloudState, *places: Place) -> None:
        self._state = state
        self._places = places

    async def places(self) -> tuple[Place, ...]:
        return self._places

    async def create(self, new: NewServerGroup) -> ServerGroup:
        self._check(new.place)
        found = self._state.groups.get(new.name)
        if found is None:
            self._check_image(new.image)
            self._state.at += timedelta(seconds=1)
            found = ServerGroup(
                name=new.name,
                place=new.place,
                cloud_provider=self.name,
                moniker=parse(new.name),
                created_at=self._state.at,
                capacity=new.capacity,
                image=new.image,
                version=new.version,
                load_balancers=new.load_balancers,
                labels=new.labels,
                created_by=new.key,
            )
            self._state.groups[new.name] = found
            self._settle(new.name)
        if found.created_by != new.key:
            raise Refused(Problem(code="server_group.exists", message=f"There is a {new.name}."), status=409)
        return self._state.groups[new.name]

    async def resize(self, place: Place, name: str, capacity: Capacity) -> None:
        self._change(place, name, capacity=capacity)

    async def set_disabled(self, place: Place, name: str, *, is_disabled: bool) -> None:
        self._change(place, name, is_disabled=is_disabled)

    async def destroy(self, place: Place, name: str) -> None:
        self._check(place)
        self._state.groups.pop(name, None)

    async def describe(self, application: str) -> tuple[ServerGroup, ...]:
        found = [group for group in self._state.groups.values() if group.moniker.app == application]
        return tuple(sorted(found, key=lambda group: group.created_at))

    async def describe_all(self) -> tuple[ServerGroup, ...]:
        return tuple(sorted(self._state.groups.values(), key=lambda group: group.created_at))

    async def logs(self, place: Place, name: str, instance_id: str, lines: int = 200) -> str:
        self._check(place)
        known = {one.id for one in self._known(name).instances}
        if instance_id not in known:
            raise Refused(Problem(code="server_group.unknown", message=f"There is no {instance_id}."), status=404)
        return "listening\n"

    async def run_job(self, new: NewJob) -> Job:
        self._check(new.place)
        self._check_image(new.image)
        return self._state.jobs.setdefault(new.key, Job(id=new.key, place=new.place, state=Health.UP))

    async def job(self, place: Place, job_id: str) -> Job | None:
        self._check(place)
        return self._state.jobs.get(job_id)

    async def stop_job(self, place: Place, job_id: str) -> None:
        self._check(place)
        found = self._state.jobs.get(job_id)
        if found is not None and found.state is Health.UP:
            self._state.jobs[job_id] = msgspec.structs.replace(found, state=Health.FAILED, reason="It was stopped.")

    def _change(self, place: Place, name: str, **changes: object) -> None:
        self._check(place)
        self._state.groups[name] = msgspec.structs.replace(self._known(name), **changes)
        self._settle(name)

    def _settle(self, name: str) -> None:
        group = self._state.groups[name]
        health = Health.OUT_OF_SERVICE if group.is_disabled else Health.UP
        kept = [msgspec.structs.replace(one, health=health) for one in group.instances[: group.capacity.desired]]
        while len(kept) < group.capacity.desired:
            number = self._state.next_number.get(name, 0)
            self._state.next_number[name] = number + 1
            address = f"127.0.0.1:{30_000 + len(self._state.groups) * 100 + number}"
            kept.append(Instance(id=f"{name}-{number}", address=address, health=health, launched_at=self._state.at))
        self._state.groups[name] = msgspec.structs.replace(group, instances=tuple(kept))

    def _known(self, name: str) -> ServerGroup:
        if name not in self._state.groups:
            raise Refused(Problem(code="server_group.unknown", message=f"There is no {name}."), status=404)
        return self._state.groups[name]

    def _check(self, place: Place) -> None:
        if place not in self._places:
            raise Refused(Problem(code="fake.place", message=f"There is no {place}."))

    def _check_image(self, image: str) -> None:
        if image not in self._state.images:
            raise Refused(Problem(code="image.unknown", message=f"There is no image {image}."), status=404)
