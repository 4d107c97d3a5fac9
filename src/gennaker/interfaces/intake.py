"""Intake: where events from outside come in: webhooks, pollers, people who start something by hand."""

from datetime import datetime
from typing import Protocol

import msgspec

from gennaker.model.codec import JsonObject
from gennaker.model.principal import Principal


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A webhook as it arrived."""

    type: str
    """First part of the path after /webhooks: `git`, `webhook`, `cdevents` …"""
    source: str
    """Second part: `github`, `gitlab`, a name of one's own; empty: the body's `source`."""
    headers: dict[str, list[str]]
    """Names in lower case."""
    raw: bytes
    """The body's bytes, over which signatures are made."""
    received_at: datetime
    address: str = ""
    """Of whoever has sent it."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the sender is told."""

    status: int
    body: JsonObject


class OutsideEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event of Echo's kind: something has happened that pipelines may be triggered by."""

    type: str
    """`docker`, `git`, `build`, `pubsub`, `manual` …"""
    source: str = ""
    content: JsonObject = {}
    payload: JsonObject = {}
    """The body before it was normalised: `trigger.payload` in expressions."""
    raw: bytes = b""
    headers: dict[str, list[str]] = {}
    event_id: str
    """Unique; the same event given twice starts nothing twice."""
    at: datetime


class Intake(Protocol):
    """Turns what comes from outside into executions."""

    async def deliver(self, delivery: Delivery) -> Answer:
        """Takes a webhook; the answer is given after everything it starts is durable."""
        ...

    async def take(self, event: OutsideEvent) -> tuple[str, ...]:
        """Starts what the event triggers; returns the executions' ids. Repeating the event returns the same ids."""
        ...

    async def start(
        self, application: str, name_or_id: str, trigger: JsonObject, principal: Principal, *, key: str = ""
    ) -> str:
        """Starts a pipeline by hand; returns the execution's id. `key` as a submission's. Raises Refused."""
        ...
