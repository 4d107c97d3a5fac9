"""Listing executions: which are asked for, and how they are shown."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
from litestar.params import QueryParameter

from gennaker.engine import orca_json
from gennaker.interfaces.executions import Found, Listed
from gennaker.model.execution import ExecutionKind
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.web import visible
from gennaker.web.gate import amounts
from gennaker.web.ports import WebPorts

ConfigIds = Annotated[list[str] | None, QueryParameter(name="pipelineConfigIds")]
ExecutionIds = Annotated[list[str] | None, QueryParameter(name="executionIds")]
_MOST_IDS = 200


async def shown(ports: WebPorts, principal: Principal, found: Iterable[Listed], *, expand: bool) -> list[msgspec.Raw]:
    """Those that may be read, in Orca's form, whole or in outline."""
    form = orca_json.execution_json if expand else orca_json.outline_json
    return await ports.shown.executions(ports.services.executions, await visible.listed(ports, principal, found), form)


def statuses_of(text: str) -> tuple[Status, ...]:
    """Statuses separated by commas. Raises Refused."""
    try:
        return tuple(Status(word) for word in text.upper().split(",") if word)
    except ValueError as error:
        raise Refused(
            Problem(
                code="status.unknown",
                message=f"{error}.",
                remedy=f"Statuses are {', '.join(Status)}.",
            )
        ) from error


async def some(
    ports: WebPorts,
    principal: Principal,
    config_ids: list[str] | None,
    execution_ids: list[str] | None,
    which: tuple[int, str],
    *,
    expand: bool,
) -> list[msgspec.Raw]:
    """Executions by their ids, or the newest of each pipeline; unknown and unreadable ones are left out. Raises Refused."""
    configs, ids = _listed(config_ids), _listed(execution_ids)
    if configs and ids:
        raise Refused(_either(), status=400)
    limit, statuses = which
    found = await _by_id(ports, ids) if ids else await newest(ports, configs, statuses_of(statuses), limit)
    return await shown(ports, principal, found, expand=expand)


def _listed(given: list[str] | None) -> list[str]:
    """A parameter that may be repeated and hold several, separated by commas."""
    ids = list(dict.fromkeys(word.strip() for one in given or [] for word in one.split(",") if word.strip()))
    if len(ids) > _MOST_IDS:
        message = f"{len(ids)} ids are more than {_MOST_IDS}."
        raise Refused(Problem(code="request.too_many", message=message, remedy="Ask for fewer at once."), status=400)
    return ids


async def _by_id(ports: WebPorts, ids: list[str]) -> list[Listed]:
    return [
        *await ports.services.executions.listed(Found(ids=tuple(ids), kind=ExecutionKind.PIPELINE, limit=_MOST_IDS))
    ]


async def newest(
    ports: WebPorts,
    config_ids: Sequence[str],
    statuses: tuple[Status, ...],
    limit: int,
    *,
    application: str | None = None,
) -> list[Listed]:
    """The newest executions of each of these pipelines, which are all of the application where one is given."""
    if not config_ids:
        return []
    # Of what isn't over the application is the way to find it; of all else the pipelines are, and it would only mislead.
    is_of_few = bool(statuses) and not any(one.is_complete for one in statuses)
    wanted = Found(
        application=application if is_of_few else None,
        config_ids=tuple(config_ids),
        kind=ExecutionKind.PIPELINE,
        statuses=statuses,
        limit=min(limit, amounts.EXECUTIONS),
        is_per_config=True,
    )
    return [*await ports.services.executions.listed(wanted)]


def merged(first: Iterable[Listed], second: Iterable[Listed]) -> list[Listed]:
    """Both, each execution once, newest first."""
    by_id = {one.id: one for one in (*first, *second)}
    return sorted(by_id.values(), key=lambda one: (one.build_time, one.id), reverse=True)


def _either() -> Problem:
    return Problem(
        code="request.either",
        message="Executions are found by their own ids or by those of their pipelines, not by both at once.",
        remedy="Send either `executionIds` or `pipelineConfigIds`.",
    )
