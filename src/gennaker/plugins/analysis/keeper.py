"""The canary keeper: removes baselines and canaries whose analysis is over but which are still there.

A canary that is cancelled gets no after-stages, and a clean-up can fail. So what a canary is going to make is written
down before it is made (Documents `analysis.canaries`), and this service looks about every second: when the stage or its
execution has ended and one of its server groups is left, it submits an ORCHESTRATION with a `cleanupCanaryClusters`
stage, under a key, so that it runs once, by the engine, with audit. It goes on until nothing is left.
"""

from datetime import datetime, timedelta

import msgspec
import structlog

from gennaker.interfaces.documents import Document
from gennaker.interfaces.executions import Submission
from gennaker.interfaces.plugins import Service
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageContext
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.execution import Execution, ExecutionKind
from gennaker.model.principal import SYSTEM
from gennaker.model.problems import Refused
from gennaker.plugins.analysis import deployed
from gennaker.plugins.analysis.stage_settings import ClusterPlace

log = structlog.get_logger()

NAMESPACE = "analysis.canaries"
_EVERY = timedelta(seconds=1)
_SETTLED_AFTER = timedelta(seconds=10)
"""What was under way when an execution ended may still make a server group."""
_LONGEST_PAUSE = timedelta(minutes=5)


class Canary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document: what an analysis may leave behind."""

    application: str
    execution_id: str
    stage_id: str
    """The `kayentaCanary` stage; empty: the execution's end counts."""
    clusters: tuple[ClusterPlace, ...]
    attempts: int = 0
    cleanup_id: str = ""
    """The execution that cleans up."""
    again_at: datetime | None = None
    """When it is tried again."""


async def register(context: StageContext, clusters: tuple[ClusterPlace, ...]) -> None:
    """Writes down what is going to be made."""
    canary = Canary(
        application=context.execution.head.application,
        execution_id=context.execution.head.id,
        stage_id=context.stage.parent_id or "",
        clusters=clusters,
    )
    await _put(context.services, _key(canary), canary)


async def forget_if_clean(services: Services, execution_id: str, stage_id: str) -> bool:
    """Crosses a canary out when nothing of it is left; returns whether that is so."""
    found = await services.documents(NAMESPACE).get(f"{execution_id}/{stage_id}")
    if found is None:
        return True
    canary = _read(found)
    if await deployed.of_execution(services, canary.clusters, canary.execution_id):
        return False
    await services.documents(NAMESPACE).delete(found.key)
    return True


async def once(services: Services) -> dict[str, str]:
    """Looks at all canaries that are written down; returns why some couldn't be looked at, which holds up no other, by their keys."""
    unseen: dict[str, str] = {}
    for document in await services.documents(NAMESPACE).list():
        try:
            await _look(services, document, services.clock.now())
        except (Refused, OSError) as error:
            unseen[document.key] = str(error)
    return unseen


async def _look(services: Services, document: Document, now: datetime) -> None:
    """Raises Refused where its account doesn't answer."""
    canary = _read(document)
    ended = await _ended(services, canary)
    if ended is None or (canary.again_at is not None and now < canary.again_at):
        return
    if canary.cleanup_id and not await _is_over(services, canary.cleanup_id):
        return
    left = await deployed.of_execution(services, canary.clusters, canary.execution_id)
    if left:
        await _clean_up(services, document.key, canary, names=[one.name for one in left], now=now)
    elif now >= ended + _SETTLED_AFTER:
        await services.documents(NAMESPACE).delete(document.key)


async def keep(services: Services) -> None:
    """Looks about every second, until cancelled."""
    said: dict[str, str] = {}
    while True:
        unseen = await once(services)
        for key, why in unseen.items():
            if said.get(key) != why:
                log.warning("canary.unseen", canary=key, why=why)
        said = unseen
        await services.clock.sleep_until(services.clock.now() + _EVERY)


async def _ended(services: Services, canary: Canary) -> datetime | None:
    """When the analysis was over; None: it goes on."""
    execution = await services.executions.get(canary.execution_id)
    if execution is None:
        return datetime.fromtimestamp(0, services.clock.now().tzinfo)
    stage = execution.stages.get(canary.stage_id)
    if execution.head.status.is_complete:
        return execution.head.end_time or execution.head.build_time
    if stage is not None and stage.status.is_complete:
        return stage.end_time or execution.head.build_time
    return None


async def _is_over(services: Services, execution_id: str) -> bool:
    found: Execution | None = await services.executions.get(execution_id)
    return found is None or found.head.status.is_complete


async def _clean_up(services: Services, key: str, canary: Canary, *, names: list[str], now: datetime) -> None:
    clusters: Json = to_json(canary.clusters)
    job: JsonObject = {
        "type": "cleanupCanaryClusters",
        "name": "Remove baseline and canary",
        "refId": "0",
        "requisiteStageRefIds": [],
        "canaryExecutionId": canary.execution_id,
        "canaryStageId": canary.stage_id,
        "clusters": clusters,
    }
    description = f"Remove {' and '.join(names)}, whose canary analysis is over"
    submission = Submission(
        kind=ExecutionKind.ORCHESTRATION,
        config={
            "application": canary.application,
            "name": description,
            "description": description,
            "stages": [job],
        },
        trigger={"type": "canary-keeper"},
        key=f"canary-cleanup:{key}:{canary.attempts}",
    )
    execution_id = await services.executions.submit(submission, SYSTEM)
    log.info("canary.removing", canary=key, server_groups=names, execution=execution_id, attempt=canary.attempts + 1)
    pause = min(_EVERY * 2 ** min(canary.attempts, 10), _LONGEST_PAUSE)
    tried = msgspec.structs.replace(canary, attempts=canary.attempts + 1, cleanup_id=execution_id, again_at=now + pause)
    await _put(services, key, tried)


async def _put(services: Services, key: str, canary: Canary) -> None:
    body = to_json(canary)
    assert isinstance(body, dict)
    await services.documents(NAMESPACE).put(key, body)


def _read(document: Document) -> Canary:
    return msgspec.convert(document.body, Canary)


def _key(canary: Canary) -> str:
    return f"{canary.execution_id}/{canary.stage_id}"


service = Service(name="canary-keeper", run=keep)
