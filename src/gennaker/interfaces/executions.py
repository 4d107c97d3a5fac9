"""Executions as others see them: starting, commanding, finding, following."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import msgspec

from gennaker.interfaces.inspection import Facts
from gennaker.interfaces.journal import RecordedEvent
from gennaker.model.codec import JsonObject
from gennaker.model.event import Event
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.principal import Principal
from gennaker.model.statuses import Status


class Submission(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request to start something."""

    kind: ExecutionKind = ExecutionKind.PIPELINE
    config: JsonObject
    """Pipeline definition (with `id`, `application`, `name`, `stages` …) or orchestration (`application`, `job` as
    `stages`)."""
    trigger: JsonObject = {}
    key: str = ""
    """Not empty: the same key never starts a second execution; the first one's id is returned (pollers, children)."""


class Found(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is searched for; empty fields match all."""

    application: str | None = None
    """Upper and lower case are the same."""
    ids: tuple[str, ...] = ()
    config_ids: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    kind: ExecutionKind | None = None
    name: str | None = None
    correlation_id: str | None = None
    trigger_types: tuple[str, ...] = ()
    """Of executions of pipelines only, as is the next."""
    event_id: str = ""
    limit: int = 20
    is_per_config: bool = False
    """So many of each of the `config_ids`; not together with `before_id`."""
    is_oldest_first: bool = False
    """Not together with `before_id`."""
    before_id: str | None = None
    """Cursor: only executions with smaller ids (ids sort by time)."""
    from_id: str | None = None
    """Only this execution and those after it; not together with `before_id`, but with `is_oldest_first`."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What of an execution says whether something made of it before still holds: `version` grows with each change.

    The build time tells it from one of the same id that was deleted.
    """

    id: str
    application: str
    """In lower case."""
    version: int
    build_time: datetime


class Executions(Protocol):
    """The engine's front: every caller, inside and outside, goes through it."""

    async def submit(self, submission: Submission, principal: Principal) -> str:
        """Stores the execution durably and returns its id; preparing and running go on by themselves. Raises Refused."""
        ...

    async def tell(self, execution_id: str, event: Event, principal: Principal) -> Execution:
        """Applies a command and returns the new state. Raises Refused(404) for an unknown execution."""
        ...

    async def delete(self, execution_id: str, principal: Principal) -> None:
        """Forgets an execution that has ended, with its journal. Raises Refused (404; 409 while it isn't over)."""
        ...

    async def get(self, execution_id: str) -> Execution | None:
        """The present state."""
        ...

    async def find(self, wanted: Found) -> Sequence[Execution]:
        """Newest first, unless told otherwise."""
        ...

    async def listed(self, wanted: Found) -> Sequence[Listed]:
        """As `find`, without reading the executions themselves."""
        ...

    async def several(self, ids: Sequence[str]) -> Sequence[Execution]:
        """As last stored, those of these that are there, in this order."""
        ...

    async def triggers(self, ids: Sequence[str]) -> Mapping[str, JsonObject]:
        """What has started those of these that are there, by their ids; reads nothing else of them."""
        ...

    async def count(self, status: Status) -> int:
        """How many executions have this status."""
        ...

    async def facts(self, execution_id: str) -> Facts:
        """What is known about the execution and all that it waits for. Raises Refused(404)."""
        ...

    async def events(self, execution_id: str, *, after: int = 0) -> tuple[RecordedEvent, ...]:
        """The execution's journal. Raises Refused(404)."""
        ...

    async def engine_versions(self, execution_id: str) -> tuple[str, ...]:
        """Versions of the engine that have applied the execution's events."""
        ...

    async def reserve_number(self, cluster: str, holder: str, *, taken: tuple[int, ...], newest: int | None) -> int:
        """The server-group number that this holder gets in the cluster (`account:region:name`); the same each time."""
        ...

    async def return_number(self, cluster: str, holder: str) -> None:
        """The reservation is no longer needed."""
        ...


class Update(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something worth showing has changed."""

    topic: str
    """`execution`, `release`, `traffic`, `log`, `notification`"""
    id: str
    """Of the thing: execution id, load balancer …"""
    application: str = ""
    version: int = 0
    body: JsonObject = {}
    """Small facts; readers fetch the rest."""


class Following(Protocol):
    """One who follows; too slow, he loses the oldest."""

    async def some(self) -> Sequence[Update]:
        """Waits for the next update, and takes what has come with it; none: it was ended."""
        ...

    def end(self) -> None:
        """Whoever waits needn't wait any longer."""
        ...


class Updates(Protocol):
    """Live updates inside the process; nobody depends on getting all of them."""

    def publish(self, update: Update) -> None:
        """Hands the update to all who follow; never waits."""
        ...

    def follow(self) -> AsyncIterator[Update]:
        """Updates from the first `__anext__` on; a follower that is too slow loses the oldest."""
        ...

    def following(self) -> AbstractContextManager[Following]:
        """The same from now on, for those who take many at once."""
        ...
