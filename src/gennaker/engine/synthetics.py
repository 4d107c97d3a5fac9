"""Synthetic stages: building those that a stage's plan asks for, and the pipeline's own from its definition.

A synthetic stage's refId says where it belongs: `<parent><N` before its parent's tasks, `<parent>>N` after them. Ids
derive from the refId. A child takes over its parent's attempt, so that effects of a restarted stage's children have
keys of their own although refIds and ids are the same again.
"""

from collections.abc import Sequence
from datetime import datetime

from gennaker.engine import graph, keys, timing
from gennaker.engine.draft import Draft
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, from_milliseconds
from gennaker.model.event import PlannedStage, PlannedTask
from gennaker.model.execution import ExecutionKind, Side, Stage, Task

_MARK = {Side.BEFORE: "<", Side.AFTER: ">"}
_WINDOW_KEYS = frozenset({"restrictExecutionDuringTimeWindow", "restrictedExecutionWindow"})
_OWN_KEYS = frozenset({"type", "name", "refId", "requisiteStageRefIds", "startTimeExpiry"})
_PLAIN_PROVIDERS = frozenset({"aws", "titus"})
_INSTANTS = (str, int)
"""Not `str | int`, which would be made anew for each stage."""


def tasks_of(planned: Sequence[PlannedTask]) -> tuple[Task, ...]:
    """The tasks of a stage as planned; first and last are marked unless they are part of a loop."""
    in_loop = _loop_places(planned)
    last = len(planned) - 1
    return tuple(
        [
            Task(
                id=str(place + 1),
                name=one.name,
                implementing_class=one.implementing_class,
                is_stage_start=place == 0 and place not in in_loop,
                is_stage_end=place == last and place not in in_loop,
                is_loop_start=one.is_loop_start,
                is_loop_end=one.is_loop_end,
                timeout=one.timeout,
                is_timeout_overridable=one.is_timeout_overridable,
                retries=one.retries,
                retry_after=one.retry_after,
                effect_class=one.effect_class,
            )
            for place, one in enumerate(planned)
        ]
    )


def _loop_places(planned: Sequence[PlannedTask]) -> set[int]:
    places: set[int] = set()
    is_inside = False
    for place, one in enumerate(planned):
        is_inside = is_inside or one.is_loop_start
        if is_inside:
            places.add(place)
        is_inside = is_inside and not one.is_loop_end
    return places


def plant(
    draft: Draft,
    parent: Stage,
    side: Side,
    planned: Sequence[PlannedStage],
    *,
    is_linear: bool = False,
) -> list[Stage]:
    """Adds the planned stages beside their parent and returns them; linear: each also requires the one before."""
    if not planned:
        return []
    siblings = graph.children(draft.graph, draft.stages, parent.id)
    first = max((_number(one) for one in siblings if one.side is side), default=0) + 1
    refs = [f"{parent.ref_id}{_MARK[side]}{first + place}" for place in range(len(planned))]
    stages: list[Stage] = []
    for place, one in enumerate(planned):
        required = [refs[other] for other in one.requisites if 0 <= other < len(refs) and other != place]
        if is_linear and place and refs[place - 1] not in required:
            required.append(refs[place - 1])
        stages.append(_child(draft, parent, side, one, ref=refs[place], required=tuple(required)))
    draft.insert(parent.id, side, stages)
    return stages


def _number(stage: Stage) -> int:
    """Its place among the children of its side that there have ever been."""
    return int(stage.ref_id.replace(_MARK[Side.BEFORE], _MARK[Side.AFTER]).rpartition(_MARK[Side.AFTER])[2])


def _child(
    draft: Draft,
    parent: Stage,
    side: Side,
    planned: PlannedStage,
    *,
    ref: str,
    required: tuple[str, ...],
) -> Stage:
    kept = planned.context
    if planned.type != timing.WINDOW_TYPE:
        kept = {key: value for key, value in kept.items() if key not in _WINDOW_KEYS}
    alias = kept.get("alias")
    if alias and alias == parent.context.get("alias"):  # copied along: it would be the parent once more, without end
        kept = {key: value for key, value in kept.items() if key != "alias"}
    return Stage(
        id=keys.stage_id(draft.id, ref),
        ref_id=ref,
        type=planned.type,
        name=planned.name,
        requisite_ref_ids=required,
        context=kept,
        side=side,
        parent_id=parent.id,
        attempt=parent.attempt,
    )


def stages_of(execution_id: str, config: JsonObject, kind: ExecutionKind = ExecutionKind.PIPELINE) -> list[Stage]:
    """The execution's own stages from its prepared definition; a job's `name` is a field of its context, too."""
    listed = config.get("stages")
    found = listed if isinstance(listed, list) else []
    left_out = _OWN_KEYS if kind is ExecutionKind.PIPELINE else _OWN_KEYS - {"name"}
    return [_own(execution_id, place, one, left_out) for place, one in enumerate(found) if isinstance(one, dict)]


def _own(execution_id: str, place: int, config: JsonObject, left_out: frozenset[str]) -> Stage:
    ref = str(config.get("refId", place))
    kind = str(config.get("type", ""))
    provider = config.get("providerType")
    if isinstance(provider, str) and provider and provider not in _PLAIN_PROVIDERS:
        kind = f"{kind}_{provider}"
    name = foreign.said_at(config, "name")
    required = config.get("requisiteStageRefIds")
    return Stage(
        id=keys.stage_id(execution_id, ref),
        ref_id=ref,
        type=kind,
        name=name or kind,
        requisite_ref_ids=tuple(dict.fromkeys(map(str, required))) if isinstance(required, list) else (),
        start_time_expiry=expiry(config.get("startTimeExpiry")),
        context={key: value for key, value in config.items() if key not in left_out},
    )


def expiry(value: Json) -> datetime | None:
    """A `startTimeExpiry`: epoch milliseconds, as a number or as text; None for anything else."""
    try:
        return from_milliseconds(int(value)) if isinstance(value, _INSTANTS) and value else None
    except (ValueError, OverflowError):
        return None
