"""Failed stages: which stages have failed in an execution, through child pipelines down to those that began it.

Source: Orca's failedStages: breadth first; a stage whose child failed stands for the child's failed stages.
"""

from collections import deque
from collections.abc import Awaitable, Callable

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution, Head, Stage

_MOST_LOOKED_AT = 500
"""Executions: more children than anybody reads about."""


Look = Callable[[str], Awaitable[Execution | None]]


async def find(look: Look, execution_id: str, *, origin: str, limit: int) -> list[JsonObject]:
    """The first so many; `origin`: where Deck is, for addresses. What `look` doesn't give isn't gone into."""
    found: list[JsonObject] = []
    waiting, seen = deque([execution_id]), {execution_id}
    while waiting and len(found) < limit and len(seen) <= _MOST_LOOKED_AT:
        execution = await look(waiting.popleft())
        if execution is None:
            continue
        for place, stage in enumerate(execution.top_level()):
            if not stage.status.is_failure:
                continue
            child = foreign.text(stage.context.get("executionId")) if stage.type == "pipeline" else ""
            if child and await _has_failed(look, child):
                if child not in seen:
                    seen.add(child)
                    waiting.append(child)
            elif len(found) < limit:
                found.append(_shown(execution, stage, place, origin))
    return found


async def _has_failed(look: Look, child: str) -> bool:
    execution = await look(child)
    return execution is not None and any(stage.status.is_failure for stage in execution.top_level())


def _shown(execution: Execution, stage: Stage, place: int, origin: str) -> JsonObject:
    head = execution.head
    parent = foreign.mapping(head.trigger.get("parentExecution"))
    parent_id, application = foreign.text_at(parent, "id"), foreign.text_at(parent, "application")
    shown: JsonObject = {
        "parentPipelineExecutionId": parent_id or None,
        "parentPipelineExecutionName": foreign.text_at(parent, "name") or None,
        "parentPipelineApplication": application or None,
        "parentPipelineExecutionUrl": f"{origin}{_path(application, parent_id)}" if parent_id else None,
        **_of(head),
        "pipelineExecutionUrl": f"{origin}{_path(head.application, head.id)}?stage={place}",
        "stageId": stage.id,
        "stageName": stage.name,
        "stageType": stage.type,
        "stageStatus": stage.status.value,
        "stageException": _exception(stage),
    }
    children = ("Id", "Name", "Url")
    none: JsonObject = {f"childPipelineExecution{key}": None for key in children}
    return {**shown, **none, "childPipelineApplication": None}


def _of(head: Head) -> JsonObject:
    return {
        "pipelineExecutionId": head.id,
        "pipelineExecutionName": head.name,
        "pipelineApplication": head.application,
    }


def _path(application: str, execution_id: str) -> str:
    return f"/#/applications/{application}/executions/details/{execution_id}"


def _exception(stage: Stage) -> Json:
    details = foreign.mapping(foreign.mapping(stage.context.get("exception")).get("details"))
    errors = [str(one) for one in foreign.items(details.get("errors"))]
    return "; ".join(errors) or foreign.text(details.get("error")) or None
