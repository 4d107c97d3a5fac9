"""Children: what a stage that follows other executions says of them, in Orca's words and shape."""

from collections.abc import Iterator

from gennaker.model import waiting
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution, Stage
from gennaker.model.statuses import Status


def exception(child: Execution) -> JsonObject:
    """Why a child has failed: each error of its failed stages, and where the first one is."""
    failed = [stage for stage in child.in_order() if stage.status is Status.TERMINAL]
    listed: list[Json] = [said for stage in failed for said in _errors(child, stage)]
    shape: JsonObject = {"details": {"errors": listed}}
    if failed:
        order = [stage.id for stage in child.in_order()]
        shape["source"] = {
            "executionId": child.head.id,
            "stageId": failed[0].id,
            "stageName": failed[0].name,
            "stageIndex": order.index(failed[0].id),
        }
    return shape


def errors(shape: JsonObject) -> list[str]:
    """The sentences of an exception."""
    details = shape.get("details")
    listed = details.get("errors") if isinstance(details, dict) else None
    return [str(one) for one in listed] if isinstance(listed, list) else []


def wait(child: Execution) -> waiting.ForExecution:
    """That a child is waited for."""
    head = child.head
    return waiting.ForExecution(
        reason=f"{head.name} ({head.id}), which is {head.status.value.lower().replace('_', ' ')}",
        execution_id=head.id,
        name=head.name,
        status=head.status.value,
    )


def _errors(child: Execution, stage: Stage) -> Iterator[str]:
    found = stage.context.get("exception")
    details = found.get("details") if isinstance(found, dict) else None
    if not isinstance(details, dict):
        return
    listed = details.get("errors") or details.get("error")
    for one in listed if isinstance(listed, list) else [listed]:
        if one:
            yield f"Exception in child pipeline stage ({child.head.name}: {stage.name or stage.type}): {one}"
