"""Naming: what somebody who submits a pipeline names of others, and which rights that takes.

A parent is shown whole to expressions, and its artifacts are taken over. Under a pipeline's id its runs are found, their artifacts are
reused, places in its queue are taken, and pipelines start that follow it.
"""

from gennaker.interfaces.definitions import Definition, Definitions
from gennaker.interfaces.executions import Executions, Submission
from gennaker.model import ancestry, foreign
from gennaker.model.permissions import Need, Right


async def asked_for(submission: Submission, executions: Executions, definitions: Definitions) -> tuple[Need, ...]:
    """Beyond the right to start it; what isn't there asks for nothing."""
    found: list[Need] = []
    trigger, own = submission.trigger, foreign.text(submission.config.get("application")).lower()
    parents = (foreign.text_at(trigger.get(ancestry.KEY), "id"), foreign.text(trigger.get("parentPipelineId")))
    for named in filter(None, parents):
        parent = await executions.get(named)
        if parent is not None:
            found.append(Need(right=Right.READ, application=parent.head.application))
    pipeline_id = foreign.text(submission.config.get("id"))
    stored = await _newest(pipeline_id, definitions) if pipeline_id else None
    whose = foreign.text(stored.body.get("application")) if stored else ""
    if whose.lower() not in ("", own):
        found.append(Need(right=Right.EXECUTE, application=whose))
    return tuple(found)


async def _newest(pipeline_id: str, definitions: Definitions) -> Definition | None:
    """A deleted one's, too: its runs are still found under its id, and pipelines that follow it still start."""
    if (stored := await definitions.get("pipeline", pipeline_id)) is not None:
        return stored
    return next(iter(await definitions.history("pipeline", pipeline_id, 1)), None)
