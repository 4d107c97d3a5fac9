"""Jobs: orchestrations of one stage that write definitions, as Gate submits them, and what is stored afterwards."""

import asyncio
import base64
from datetime import timedelta
from typing import Any

from tests.harness import Harness, problem_of

from gennaker.interfaces.definitions import Definition
from gennaker.interfaces.plugins import Plugin
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.definitions import plugin as definitions
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import Settings


def encoded(value: Json) -> str:
    """As jobs carry definitions."""
    return base64.b64encode(encode(value)).decode()


class Installation:
    """A harness that runs jobs."""

    def __init__(self, *plugins: Plugin, settings: Settings | None = None) -> None:
        self.harness = Harness(flow.plugin, definitions.plugin, *plugins, settings=settings)

    def job(self, kind: str, *, kill_at: tuple[str, ...] = (), **fields: Any) -> Execution:
        """Runs a job to its end, and a second more: what the next one writes is newer."""
        listed: list[Json] = [{"type": kind, **fields}]
        done = self.harness.run(
            {"application": "shop", "name": f"a {kind}", "job": listed},
            kill_at=kill_at,
            afterwards=timedelta(seconds=1),
        )
        unseen = [point for point in kill_at if point.partition("#")[0] not in self.harness.probe.seen]
        assert unseen == [], "nothing was killed there"
        return done

    def done(self, kind: str, **fields: Any) -> Any:
        """Runs a job that must go well; returns its stage."""
        execution = self.job(kind, **fields)
        assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
        return next(execution.top_level())

    def refused(self, kind: str, **fields: Any) -> str:
        """Runs a job that must fail; returns what it says."""
        execution = self.job(kind, **fields)
        assert execution.head.status is Status.TERMINAL
        return problem_of(execution)

    def save(self, kind: str, definition_id: str, body: JsonObject) -> None:
        """Stores a definition that is there before."""
        asyncio.run(self.harness.definitions.save(kind, definition_id, body, author="ada"))

    def get(self, kind: str, definition_id: str) -> JsonObject | None:
        """What is stored."""
        found = asyncio.run(self.harness.definitions.get(kind, definition_id))
        return found.body if found else None

    def list(self, kind: str) -> tuple[Definition, ...]:
        """All that is stored of a kind."""
        return asyncio.run(self.harness.definitions.list(kind))

    def revisions(self, kind: str, definition_id: str) -> int:
        """How often it was written."""
        return len(asyncio.run(self.harness.definitions.history(kind, definition_id, limit=100)))
