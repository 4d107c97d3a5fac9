"""Playbooks: readable scripts of what an execution is told and what it then wants done.

    play = Playbook(stage_json("a"), stage_json("b", "a"))
    play.wants("prepare a")
    play.prepared("a", task("build"))
    play.wants("run a.build")
    play.reported("a", Done())
    play.wants("prepare b")

Behind it stands `advance`. After every event the invariants of the engine are checked (`tests.invariants`); at any time
`play.replayed()` folds the journal and compares.
"""

import copy
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace
from tests import invariants, make

from gennaker.engine import admit, advance, keys, limits, replay
from gennaker.engine.rules import Rules
from gennaker.engine.step import Step
from gennaker.model.codec import JsonObject
from gennaker.model.effect import (
    Announce,
    Deliver,
    Effect,
    Notify,
    PendingEffect,
    PrepareAfterStages,
    PrepareStage,
    PrepareSubmission,
    PrepareTask,
    RunTask,
    StartTimer,
    StopTask,
    TellQueue,
)
from gennaker.model.event import (
    AfterStagesPrepared,
    Event,
    PlannedStage,
    PlannedTask,
    QueueEvent,
    StagePrepared,
    SubmissionPrepared,
    Submitted,
    TaskPrepared,
    TaskReported,
    TaskResult,
    TimerRang,
)
from gennaker.model.execution import Execution, Stage, Task
from gennaker.model.problems import Problem
from gennaker.model.queue import Queue
from gennaker.model.statuses import Status
from gennaker.model.waiting import ForWork


class Playbook:
    """One execution, what it waits for, and a clock that stands still unless it is moved."""

    def __init__(
        self,
        *stages: JsonObject,
        rules: Rules = make.RULES,
        is_prepared: bool = True,
        queue: Queue | None = None,
        **head: object,
    ) -> None:
        """Submits a pipeline of these stages; its submission is prepared unless the script does it itself.

        `queue` is what its pipeline's queue holds before; None: nothing.
        """
        self.rules = rules
        self.at = make.AT
        self.events: list[Event] = []
        self.outbox: dict[str, PendingEffect] = {}
        self.answered: set[str] = set()
        self.last = Step(execution=replay.accepted(make.head()))
        self.queue = queue or Queue(key="pipeline:none")
        self.send(Submitted(at=self.at, head=make.head(version=1, waiting_for=ForWork(reason="preparing"), **head)))
        if is_prepared:
            self.submission_prepared(make.config(*stages))

    # -- what is told -------------------------------------------------------------------------------------------------

    def send(self, event: Event) -> Step:
        """Applies an event and keeps the books; queues answer at once, as they do in a transaction."""
        before = self.last.execution
        step = advance.advance(before, event, self.rules)
        self.events.append(event)
        key = getattr(event, "key", "")
        if self.outbox.pop(key, None) is not None:
            self.answered.add(key)
        for dropped in step.dropped:
            self.outbox.pop(dropped, None)
        for pending in step.effects:
            self.outbox[pending.effect.key] = pending
        self.last = step
        invariants.check(before, event, step, outbox=self.outbox, answered=self.answered)
        self._tell_queue()
        return step

    def _tell_queue(self) -> None:
        for pending in list(self.outbox.values()):
            if isinstance(pending.effect, TellQueue):
                del self.outbox[pending.effect.key]
                self.queue_told(pending.effect.event)

    def queue_told(self, event: QueueEvent) -> None:
        """Tells the pipeline's queue something, and this execution what the queue says of it."""
        told = admit.admit(self.queue, event)
        self.queue = told.queue
        for one in told.effects:
            assert isinstance(one.effect, Deliver)
            if one.effect.execution_id == self.execution.head.id:
                self.send(one.effect.event)

    def copy(self) -> "Playbook":
        """Another one in the same state, which goes its own way."""
        other = copy.copy(self)
        other.events, other.outbox, other.answered = list(self.events), dict(self.outbox), set(self.answered)
        return other

    def submission_prepared(self, config: JsonObject, **fields: object) -> Step:
        """The submission was prepared."""
        key = self._only(PrepareSubmission, "").key
        return self.send(SubmissionPrepared(at=self.at, key=key, config=config, **fields))  # type: ignore[arg-type]  # a builder's keywords

    def prepared(self, ref: str, *tasks: PlannedTask, before: Iterable[PlannedStage] = (), **fields: object) -> Step:
        """A stage was planned with these tasks; its context stays as it is unless another is given."""
        effect = self._only(PrepareStage, ref)
        given = {"context": self.stage(ref).context, "tasks": tasks, "before": tuple(before), **fields}
        return self.send(StagePrepared(at=self.at, key=effect.key, stage_id=self.stage(ref).id, **given))  # type: ignore[arg-type]  # as above

    def planned_late(self, ref: str, *stages: PlannedStage, problem: Problem | None = None) -> Step:
        """The late stages of a stage were planned."""
        effect = self._only(PrepareAfterStages, ref)
        return self.send(
            AfterStagesPrepared(at=self.at, key=effect.key, stage_id=self.stage(ref).id, stages=stages, problem=problem)
        )

    def task_prepared(self, ref: str, context: JsonObject, problem: Problem | None = None) -> Step:
        """A stage's context was evaluated for its task."""
        effect = self._only(PrepareTask, ref)
        assert isinstance(effect, PrepareTask)
        return self.send(
            TaskPrepared(
                at=self.at,
                key=effect.key,
                stage_id=effect.stage_id,
                task_id=effect.task_id,
                context=context,
                problem=problem,
            )
        )

    def reported(self, ref: str, result: TaskResult) -> Step:
        """The running task of a stage was run once."""
        effect = self._only(RunTask, ref)
        assert isinstance(effect, RunTask)
        return self.send(
            TaskReported(at=self.at, key=effect.key, stage_id=effect.stage_id, task_id=effect.task_id, result=result)
        )

    def rings(self, about: str) -> Step:
        """The timer rings whose purpose contains this text."""
        found = [one for one in self.timers() if about in one.about]
        assert len(found) == 1, f"{len(found)} timers about {about!r}: {self.open()}"
        return self.send(TimerRang(at=self.at, key=found[0].key))

    def timers(self) -> list[StartTimer]:
        """All that would ring, with those that runs carry."""
        outbox = self.outbox.values()
        carried = {one.key: one for one in map(self._carried, filter(limits.carried, outbox))}
        apart = {key: one.effect for key, one in self.outbox.items() if isinstance(one.effect, StartTimer)}
        return list((carried | apart).values())

    def _carried(self, pending: PendingEffect) -> StartTimer:
        timer, effect = limits.carried(pending), pending.effect
        assert timer is not None
        assert isinstance(timer.effect, StartTimer)
        assert isinstance(effect, RunTask | PrepareTask)
        task, stage = self._name(effect.stage_id, effect.task_id).rpartition(".")[2], self._name(effect.stage_id)
        return replace(timer.effect, about=f"time limit of task {task} of stage {stage}")

    def later(self, length: timedelta) -> datetime:
        """Moves the clock."""
        self.at += length
        return self.at

    def clear(self) -> None:
        """Sends messages, announcements and stops: they are done, nobody looks at them any more."""
        for key, one in list(self.outbox.items()):
            if isinstance(one.effect, (Notify, Announce, StopTask, Deliver)):
                del self.outbox[key]

    # -- what is seen -------------------------------------------------------------------------------------------------

    @property
    def execution(self) -> Execution:
        """The present state."""
        return self.last.execution

    @property
    def status(self) -> Status:
        """The execution's."""
        return self.execution.head.status

    def stage(self, ref: str) -> Stage:
        """A stage by refId or name."""
        found = [one for one in self.execution.in_order() if ref in (one.ref_id, one.name)]
        assert len(found) == 1, f"{len(found)} stages are called {ref!r}"
        return found[0]

    def task(self, ref: str, place: int = 0) -> Task:
        """A task of a stage."""
        return self.stage(ref).tasks[place]

    def statuses(self) -> dict[str, str]:
        """Status by name of all stages."""
        return {one.name: one.status.value for one in self.execution.in_order()}

    def open(self) -> set[str]:
        """What is outstanding, in words."""
        carried = (self._carried(one) for one in self.outbox.values() if limits.carried(one))
        return {self._said(one) for one in (*(one.effect for one in self.outbox.values()), *carried)}

    def wants(self, *expected: str) -> None:
        """Asserts that exactly this is outstanding."""
        assert self.open() == set(expected)

    def due(self, ref: str) -> timedelta | None:
        """When the run of a stage's task is due, from now; None: at once."""
        key = self._only(RunTask, ref).key
        due = self.outbox[key].due
        return None if due is None else due - self.at

    def replayed(self) -> None:
        """Asserts that folding the journal gives the present state."""
        assert replay.fold(self.events, self.rules) == self.execution

    def _only(self, kind: type[Effect], ref: str) -> Effect:
        found = [
            one.effect
            for one in self.outbox.values()
            if isinstance(one.effect, kind) and (not ref or one.effect.stage_id == self.stage(ref).id)  # type: ignore[union-attr]  # the kinds asked for have one
        ]
        assert len(found) == 1, f"{len(found)} effects {kind.__name__} for {ref!r}: {self.open()}"
        return found[0]

    def _said(self, effect: Effect) -> str:  # noqa: C901 - one line for each kind of effect
        match effect:
            case PrepareSubmission():
                return "prepare submission"
            case PrepareStage(stage_id=stage_id):
                return f"prepare {self._name(stage_id)}"
            case PrepareAfterStages(stage_id=stage_id, kind=kind):
                return f"prepare {kind.value} {self._name(stage_id)}"
            case PrepareTask(stage_id=stage_id, task_id=task_id):
                return f"evaluate {self._name(stage_id, task_id)}"
            case RunTask(stage_id=stage_id, task_id=task_id):
                return f"run {self._name(stage_id, task_id)}"
            case StopTask(stage_id=stage_id, task_id=task_id):
                return f"stop {self._name(stage_id, task_id)}"
            case StartTimer(about=about):
                return f"timer {about}"
            case TellQueue(event=event):
                return f"queue {type(event).__name__}"
            case Deliver(execution_id=target, event=event):
                return f"deliver {type(event).__name__} {target}"
            case Notify(moment=moment, notification=notification):
                return f"notify {moment} {notification.get('address', '')}".strip()
            case Announce(moment=moment):
                return f"announce {moment}"

    def _name(self, stage_id: str, task_id: str = "") -> str:
        stage = self.execution.stages.get(stage_id)
        if stage is None:
            return stage_id
        if not task_id:
            return stage.name
        return f"{stage.name}.{next((one.name for one in stage.tasks if one.id == task_id), task_id)}"


def stage_id(ref: str) -> str:
    """The id of a stage of the playbook's execution."""
    return keys.stage_id(make.EXECUTION, ref)


def without_version(execution: Execution) -> Execution:
    """For comparing states of different versions."""
    return replace(execution, head=replace(execution.head, version=0))
