"""Listing executions: which are asked for, and how they are shown."""

from collections.abc import Iterable
from typing import Annotated

from litestar.params import QueryParameter

from gennaker.engine import orca_json
from gennaker.interfaces.executions import Found
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.web import visible
from gennaker.web.ports import WebPorts

PerPipeline = Annotated[int, QueryParameter(ge=1, le=200)]
ConfigIds = Annotated[list[str] | None, QueryParameter(name="pipelineConfigIds")]
ExecutionIds = Annotated[list[str] | None, QueryParameter(name="executionIds")]
_MOST_IDS = 200


def shown(executions: Iterable[Execution], *, expand: bool) -> list[JsonObject]:
    """Executions in Orca's form, whole or in outline."""
    return [orca_json.execution_json(one) if expand else orca_json.outline_json(one) for one in executions]


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
) -> list[JsonObject]:
    """Executions by their ids, or the newest of each pipeline; unknown and unreadable ones are left out. Raises Refused."""
    configs, ids = _listed(config_ids), _listed(execution_ids)
    if configs and ids:
        raise Refused(_either(), status=400)
    limit, statuses = which
    found = await _by_id(ports, ids) if ids else await newest(ports, configs, statuses_of(statuses), limit)
    return shown(await visible.executions(ports, principal, found), expand=expand)


def _listed(given: list[str] | None) -> list[str]:
    """A parameter that may be repeated and hold several, separated by commas."""
    ids = list(dict.fromkeys(word.strip() for one in given or [] for word in one.split(",") if word.strip()))
    if len(ids) > _MOST_IDS:
        message = f"{len(ids)} ids are more than {_MOST_IDS}."
        raise Refused(Problem(code="request.too_many", message=message, remedy="Ask for fewer at once."), status=400)
    return ids


async def _by_id(ports: WebPorts, ids: list[str]) -> list[Execution]:
    found = [await ports.services.executions.get(one) for one in ids]
    pipelines = [one for one in found if one is not None and one.head.kind is ExecutionKind.PIPELINE]
    return _newest_first(pipelines)


async def newest(ports: WebPorts, config_ids: list[str], statuses: tuple[Status, ...], limit: int) -> list[Execution]:
    """The newest executions of each of these pipelines."""
    found: list[Execution] = []
    for one in config_ids:
        wanted = Found(config_ids=(one,), kind=ExecutionKind.PIPELINE, statuses=statuses, limit=limit)
        found += await ports.services.executions.find(wanted)
    return _newest_first(found)


def merged(first: Iterable[Execution], second: Iterable[Execution]) -> list[Execution]:
    """Both, each execution once, newest first."""
    by_id = {one.head.id: one for one in (*first, *second)}
    return _newest_first([*by_id.values()])


def _newest_first(found: list[Execution]) -> list[Execution]:
    return sorted(found, key=lambda one: (one.head.build_time, one.head.id), reverse=True)


def _either() -> Problem:
    return Problem(
        code="request.either",
        message="Executions are found by their own ids or by those of their pipelines, not by both at once.",
        remedy="Send either `executionIds` or `pipelineConfigIds`.",
    )
