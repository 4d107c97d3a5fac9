"""Drafts: the working copy of an execution while an event is applied, or several one after the other.

Changed in place by the functions of this room, by nobody outside: the records in it stay frozen, the map of stages is
persistent. What comes out is a Step, of all the events together.
"""

from collections import deque
from datetime import datetime

from msgspec.structs import replace

from gennaker.engine import graph, moves
from gennaker.engine.rules import Rules
from gennaker.engine.step import Step
from gennaker.model.codec import JsonObject
from gennaker.model.effect import Effect, PendingEffect
from gennaker.model.execution import Execution, Head, Side, Stage, StageMap, Task
from gennaker.model.statuses import Status


class Draft:
    """An execution in the making."""

    def __init__(self, execution: Execution, *, at: datetime, rules: Rules) -> None:
        """For a first event of this time."""
        self.head: Head = execution.head
        self.id = execution.head.id
        self.stages: StageMap = execution.stages
        self.graph = graph.of(execution)
        self.rules = rules
        self.agenda: deque[moves.Move] = deque()
        self._changed: dict[str, None] = {}
        self._removed: dict[str, None] = {}
        self._effects: dict[str, PendingEffect] = {}
        self._dropped: dict[str, None] = {}
        self.begin(at)

    def begin(self, at: datetime) -> None:
        """For a next event. The version is raised at once: keys that need one per event take this."""
        self._before = (
            (self.head, self.stages, self.graph),
            (self._changed.copy(), self._removed.copy(), self._effects.copy(), self._dropped.copy()),
        )
        self._emitted: dict[str, PendingEffect] = {}
        self.at = at
        self.head = replace(self.head, version=self.head.version + 1)

    def undo(self) -> None:
        """Takes back what the event has changed, but for the version."""
        (head, self.stages, self.graph), (self._changed, self._removed, self._effects, self._dropped) = self._before
        self._emitted = {}
        self.agenda.clear()
        self.head = replace(head, version=head.version + 1)

    @property
    def is_paused(self) -> bool:
        """Nothing new is begun."""
        return self.head.status is Status.PAUSED

    def in_order(self) -> list[Stage]:
        """All stages as they are now, in the order of the execution: the map's own differs from process to process."""
        return [self.stages[stage_id] for stage_id in self.head.stage_order]

    def put(self, stage: Stage) -> Stage:
        """Sets the new state of a stage that exists."""
        self.stages = self.stages.set(stage.id, stage)
        self._changed[stage.id] = None
        self._removed.pop(stage.id, None)
        return stage

    def put_task(self, stage_id: str, task: Task) -> Stage:
        """Sets the new state of a task that exists."""
        stage = self.stages[stage_id]
        tasks = tuple([task if one.id == task.id else one for one in stage.tasks])
        return self.put(replace(stage, tasks=tasks))

    def put_context(self, stage_id: str, context: JsonObject) -> Stage:
        """Replaces a stage's context."""
        return self.put(replace(self.stages[stage_id], context=context))

    def insert(self, parent_id: str, side: Side, stages: list[Stage]) -> None:
        """Adds synthetic stages beside their parent, behind those of the same side."""
        if not stages:
            return
        order = self.head.stage_order
        place = order.index(parent_id)
        if side is Side.AFTER:
            family = {one.id for one in graph.descendants(self.graph, self.stages, parent_id)}
            place += 1
            while place < len(order) and order[place] in family:
                place += 1
        ids = tuple(stage.id for stage in stages)
        for stage in stages:
            self.put(stage)
        self._reorder(
            (*order[:place], *ids, *order[place:]),
            self.graph.children.set(parent_id, (*self.graph.children.get(parent_id, ()), *ids)),
        )

    def remove(self, stages: list[Stage]) -> None:
        """Takes synthetic stages out, with everything below them."""
        gone = {stage.id: stage for stage in stages}
        for stage in stages:
            gone |= {one.id: one for one in graph.descendants(self.graph, self.stages, stage.id)}
        if not gone:
            return
        children = self.graph.children
        for stage in gone.values():
            self.stages = self.stages.delete(stage.id)
            self._changed.pop(stage.id, None)
            self._removed[stage.id] = None
            if stage.id in children:
                children = children.delete(stage.id)
        for parent_id in {stage.parent_id for stage in gone.values() if stage.parent_id in children}:
            if parent_id is not None:
                left = tuple(one for one in children[parent_id] if one not in gone)
                children = children.set(parent_id, left) if left else children.delete(parent_id)
        self._reorder(tuple(one for one in self.head.stage_order if one not in gone), children)

    def plant(self, stages: list[Stage]) -> None:
        """Sets the pipeline's own stages; there were none before."""
        by_id = {stage.id: stage for stage in stages}
        self.stages = self.stages.update(by_id)
        self._changed.update(dict.fromkeys(by_id))
        self.head = replace(self.head, stage_order=tuple([stage.id for stage in stages]))
        self.graph = graph.of(Execution(head=self.head, stages=self.stages))

    def emit(self, effect: Effect, *, due: datetime | None = None) -> None:
        """Asks for an effect, now or when it is due."""
        self.want(PendingEffect(effect=effect, execution_id=self.id, due=due))

    def want(self, pending: PendingEffect) -> None:
        """As `emit`, for an effect that concerns another execution."""
        key = pending.effect.key
        self._effects[key] = self._emitted[key] = pending

    def drop(self, key: str) -> None:
        """No longer wants an effect."""
        self._effects.pop(key, None)
        self._emitted.pop(key, None)
        self._dropped[key] = None

    def emitted(self) -> tuple[PendingEffect, ...]:
        """What the latest event has asked for."""
        return tuple(self._emitted.values())

    def wants(self, key: str) -> bool:
        """It has asked for an effect with this key."""
        return key in self._effects

    def answered(self, key: str) -> None:
        """What it has asked for is there already, as the next event."""
        del self._effects[key]

    def then(self, move: moves.Move) -> None:
        """Puts a move on the agenda."""
        self.agenda.append(move)

    def execution(self) -> Execution:
        """The state as it is now."""
        return Execution(head=self.head, stages=self.stages)

    def step(self, ignored: str = "") -> Step:
        """What came of the events."""
        return Step(
            execution=self.execution(),
            changed=tuple(self._changed),
            removed=tuple(self._removed),
            effects=tuple(self._effects.values()),
            # What is asked for again takes the place of what was dropped; once it is answered nothing does.
            dropped=tuple([key for key in self._dropped if key not in self._effects]),
            ignored=ignored,
        )

    def _reorder(self, order: tuple[str, ...], children: object) -> None:
        self.head = replace(self.head, stage_order=order)
        self.graph = replace(self.graph, children=children)
        graph.remember(order, self.graph)
