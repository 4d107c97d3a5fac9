"""The graph of an execution's stages: who requires whom, who belongs to whom.

The pipeline's own stages don't change after the submission was prepared, so their part is built once. Synthetic stages
come and go in small families, each below one parent. Graphs are kept outside the versions of an execution, found again
by the identity of `stage_order`: an event that adds and removes no stage costs no look at the others. Forgetting a
graph costs time, never correctness.
"""

import operator
from collections.abc import Callable, Mapping

import immutables
import msgspec

from gennaker.model.execution import Execution, Stage, StageMap
from gennaker.model.statuses import Status

_ACTIVE = frozenset({Status.RUNNING, Status.PAUSED})
_ENDED_BADLY = frozenset(status for status in Status if status.is_complete and not status.satisfies_downstream)
_status: Callable[[Stage], Status] = operator.attrgetter("status")
_REMEMBERED = 512
_remembered: dict[int, "tuple[tuple[str, ...], Graph]"] = {}
"""By the identity of a stage order, which is held so that the identity stays its own; bounded."""


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Relations of an execution's stages, by id."""

    top: tuple[str, ...]
    """The pipeline's own stages in order."""
    id_of_ref: Mapping[str, str]
    """Of the pipeline's own stages."""
    downstream: Mapping[str, tuple[str, ...]]
    """Of the pipeline's own stages: those that require it."""
    required: Mapping[str, tuple[str, ...]]
    """What each of the pipeline's own stages requires, in the order in which it names them; empty text: no such refId."""
    children: immutables.Map[str, tuple[str, ...]]
    """Synthetic stages of a parent, in order."""
    looked: dict[str, int]
    """Where the last look at a stage's requisites ended. Only where the next one begins, so that a join of many branches
    doesn't look at all of them whenever one ends; what is found doesn't depend on it."""


def of(execution: Execution) -> Graph:
    """The graph of the execution, remembered or built."""
    order = execution.head.stage_order
    found = _remembered.get(id(order))
    if found is not None and found[0] is order:
        return found[1]
    graph = _build(order, execution.stages)
    remember(order, graph)
    return graph


def remember(order: tuple[str, ...], graph: Graph) -> None:
    """Keeps the graph that belongs to this stage order."""
    if len(_remembered) >= _REMEMBERED:
        del _remembered[next(iter(_remembered))]
    _remembered[id(order)] = (order, graph)


def _build(order: tuple[str, ...], stages: StageMap) -> Graph:
    top: list[str] = []
    children: dict[str, tuple[str, ...]] = {}
    for stage_id in order:
        parent_id = stages[stage_id].parent_id
        if parent_id is None:
            top.append(stage_id)
        else:
            children[parent_id] = (*children.get(parent_id, ()), stage_id)
    id_of_ref = {stages[stage_id].ref_id: stage_id for stage_id in top}
    downstream: dict[str, list[str]] = {}
    for stage_id in top:
        for ref in dict.fromkeys(stages[stage_id].requisite_ref_ids):
            if ref in id_of_ref:
                downstream.setdefault(id_of_ref[ref], []).append(stage_id)
    return Graph(
        top=tuple(top),
        id_of_ref=id_of_ref,
        downstream={key: tuple(value) for key, value in downstream.items()},
        required={
            stage_id: tuple([id_of_ref.get(ref, "") for ref in stages[stage_id].requisite_ref_ids]) for stage_id in top
        },
        children=immutables.Map(children),
        looked={},
    )


def children(graph: Graph, stages: StageMap, parent_id: str) -> list[Stage]:
    """Direct synthetic stages of a stage, in order."""
    return list(map(stages.__getitem__, graph.children.get(parent_id, ())))


def descendants(graph: Graph, stages: StageMap, parent_id: str) -> list[Stage]:
    """All synthetic stages below a stage."""
    found: list[Stage] = []
    below = list(graph.children.get(parent_id, ()))
    while below:
        stage = stages[below.pop()]
        found.append(stage)
        below.extend(graph.children.get(stage.id, ()))
    return found


def depth(stages: StageMap, stage: Stage) -> int:
    """How many stages it is within."""
    count = 0
    while stage.parent_id is not None and stage.parent_id in stages:
        count, stage = count + 1, stages[stage.parent_id]
    return count


def requisites(graph: Graph, stages: StageMap, stage: Stage) -> list[Stage]:
    """The stages that a stage requires directly, in the order in which it names them; unknown refIds are left out."""
    if not stage.requisite_ref_ids:
        return []
    if stage.parent_id is None:
        ids = (graph.id_of_ref.get(ref) for ref in stage.requisite_ref_ids)
        return [stages[found] for found in ids if found is not None]
    siblings = {sibling.ref_id: sibling for sibling in children(graph, stages, stage.parent_id)}
    return [siblings[ref] for ref in stage.requisite_ref_ids if ref in siblings]


def downstream(graph: Graph, stages: StageMap, stage: Stage) -> list[Stage]:
    """The stages that require a stage directly."""
    if stage.parent_id is None:
        return list(map(stages.__getitem__, graph.downstream.get(stage.id, ())))
    siblings = children(graph, stages, stage.parent_id)
    return [sibling for sibling in siblings if stage.ref_id in sibling.requisite_ref_ids]


def is_ready(graph: Graph, stages: StageMap, stage: Stage) -> bool:
    """All that the stage requires has ended in a way that satisfies it; a refId that doesn't exist never does."""
    if stage.parent_id is None:
        return _unmet(graph, stages, stage) is None
    required = requisites(graph, stages, stage)
    return len(required) == len(stage.requisite_ref_ids) and all(one.status.satisfies_downstream for one in required)


def blocked(graph: Graph, stages: StageMap, parent_id: str) -> frozenset[str]:
    """A parent's synthetic stages that never start by themselves.

    Something that they require, themselves or through others that haven't started, has ended badly or doesn't exist.
    """
    family = children(graph, stages, parent_id)
    by_ref = {one.ref_id: one for one in family}
    following: dict[str, list[Stage]] = {}
    found: set[str] = set()
    waiting: list[Stage] = []
    for one in family:
        required = [by_ref.get(ref) for ref in one.requisite_ref_ids]
        if any(each is None or each.status in _ENDED_BADLY for each in required):
            found.add(one.id)
            waiting.append(one)
        for each in required:
            if each is not None:
                following.setdefault(each.id, []).append(one)
    while waiting:
        one = waiting.pop()
        behind = following.get(one.id, []) if one.status is Status.NOT_STARTED else []
        fresh = [each for each in behind if each.id not in found]
        found.update(each.id for each in fresh)
        waiting += fresh
    return frozenset(found)


def waits_for_active(graph: Graph, stages: StageMap, stage: Stage) -> bool:
    """One of the pipeline's own stages can't start yet, only because of requisites that are still being worked on.

    Looks at all of them: that one has failed must not depend on which is met first, or a replay would see another.
    """
    required = graph.required.get(stage.id, ())
    if "" in required:
        return False
    requisites = list(map(stages.__getitem__, required))
    statuses = set(map(_status, requisites))  # all in C: of a wide join this is most of what a branch's end costs
    if statuses & _ENDED_BADLY:
        return False
    return bool(statuses & _ACTIVE) or any(one.is_preparing for one in requisites)


def _unmet(graph: Graph, stages: StageMap, stage: Stage) -> str | None:
    """A requisite that doesn't let the stage start, empty text for one that doesn't exist; None: all are met."""
    required = graph.required.get(stage.id, ())
    count = len(required)
    begin = graph.looked.get(stage.id, 0)
    for step in range(count):
        place = (begin + step) % count
        one = stages.get(required[place])
        if one is None or not one.status.satisfies_downstream:
            graph.looked[stage.id] = place
            return required[place]
    return None


def all_downstream(graph: Graph, stages: StageMap, stage: Stage) -> list[Stage]:
    """Everything that requires a stage, directly or through others, each once."""
    found: dict[str, Stage] = {}
    waiting = [stage]
    while waiting:
        for following in downstream(graph, stages, waiting.pop()):
            if following.id not in found:
                found[following.id] = following
                waiting.append(following)
    return list(found.values())
