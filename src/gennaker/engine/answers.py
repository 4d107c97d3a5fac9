"""Answers: what a person is told who asks why an execution is as it is."""

from datetime import datetime

import msgspec

from gennaker.engine import timing
from gennaker.model.execution import Execution, Stage


def named(execution: Execution, stage: Stage) -> str:
    """A stage as whoever wrote the pipeline knows it: an execution window is planned for the stage that has one."""
    parent = execution.stages.get(stage.parent_id) if stage.parent_id else None
    if parent is not None and stage.type == timing.WINDOW_TYPE:
        return f"Stage {parent.name} (its execution window)"
    return f"Stage {stage.name}"


class Way(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who or what can move it on."""

    who: str
    """A person, a role, an execution, the clock, a system outside."""
    how: str = ""
    command: str = ""
    """What to type; empty where no command does it."""


class Link(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One link of the causal chain, from what was asked about to the cause."""

    code: str
    sentence: str
    execution_id: str
    stage_id: str = ""
    since: datetime | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One cause, at the end of a chain."""

    code: str
    """Stable: `judgment`, `worker.gone`, `failed` …; see docs/guides/why.md."""
    sentence: str
    execution_id: str
    """The execution in which the cause lies; it may be another than the one that was asked about."""
    stage_id: str = ""
    stage: str = ""
    """Name of the stage."""
    task: str = ""
    about: str = ""
    """The object: `server-group shop-v003`, `execution 01J…`."""
    observed: str = ""
    """What was seen of it last."""
    url: str = ""
    """Where a person can look at the object; empty: unknown."""
    since: datetime | None = None
    goes_on_at: datetime | None = None
    """When it moves on by itself, or looks again."""
    times_out_at: datetime | None = None
    """None: no limit."""
    then: str = ""
    """What happens when the limit is reached."""
    ways: tuple[Way, ...] = ()
    chain: tuple[Link, ...] = ()
    """How what was asked about leads to this cause; empty: it is the cause itself."""
    notes: tuple[str, ...] = ()
    """What else is odd, without being the cause."""
    log: str = ""
    """The last lines of what has failed."""


class Why(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Everything that keeps an execution, or has ended it; the first answer is the one that matters most."""

    execution_id: str
    name: str
    status: str
    at: datetime
    answers: tuple[Answer, ...]
