"""What if: the same events against another definition, or with some of them changed.

Theory of operation. What was recorded is taken apart into answers (results, by the key of the effect that they answer)
and commands (everything else, with its instant). The run begins anew with the other definition: commands come when they
came, a timer rings when it would ring now, and whenever an effect is asked for it is answered
* as it was changed to be, where an event was changed;
* by calculating it anew (`engine/calculating.py`), where it follows from the execution and the time alone: plans that ask
  nobody, waits, variables, preconditions, judgments. So what a change leads to is followed beyond what was recorded;
* else as it was answered then, as long after the asking as it took then, provided that it is the same work.

So a stage that now starts earlier, later or never gets its answers in the right order. What is left is open and listed
with the reason: nobody knows what a new deploy would have done (`gennaker simulate` lets one say so). Time limits of what
is open don't ring.

A recorded plan that can't be made anew holds the stage's evaluated context. Where the definition of the stage has
changed, the changed keys are laid over it; those with expressions can't be evaluated there and are listed.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from gennaker.engine import advance, differences, keys, limits, replay, rules, submission
from gennaker.engine.calculating import Calculator
from gennaker.engine.contexts import has_expressions
from gennaker.engine.differences import Difference
from gennaker.engine.recording import Recording
from gennaker.interfaces.journal import RecordedEvent
from gennaker.model import foreign, stored
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.effect import (
    Deliver,
    Effect,
    Notify,
    PendingEffect,
    PrepareAfterStages,
    PrepareStage,
    RunTask,
    StartTimer,
    StopTask,
    TellQueue,
)
from gennaker.model.event import Event, StagePrepared, SubmissionPrepared, Submitted, TimerRang
from gennaker.model.execution import Execution, Stage
from gennaker.model.problems import Problem, Refused
from gennaker.model.waiting import ForJudgment

_STEPS_AT_MOST = 100_000
_OWN = frozenset({"refId", "requisiteStageRefIds", "name", "type"})
_NO_TYPES = Calculator({})
"""Calculates nothing."""
_EVENT: type[Event] = Event  # type: ignore[assignment]  # a union; msgspec takes it


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One event that is changed: `event` is laid over it as a JSON merge patch (RFC 7396)."""

    number: int
    event: JsonObject


class StageOutcome(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How one stage ends in both runs; None: there is no such stage."""

    ref_id: str
    name: str
    before: str | None
    after: str | None
    outputs: tuple[Difference, ...] = ()
    """Where its outputs part."""


class Open(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What would have to be known to go on."""

    key: str
    """Of the effect to which no answer was recorded."""
    stage: str
    """Its name; empty where it is the whole execution's."""
    ref_id: str
    what: str
    """What isn't known of it: `what its task wait gives`."""
    why: str
    """Why it isn't known: `only doing it would tell`."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What would have come of it."""

    before: str
    """The execution's status as recorded."""
    after: str
    seconds_before: float | None = None
    """From the execution's start to its end; None: it has none."""
    seconds_after: float | None = None
    changed: tuple[StageOutcome, ...]
    """Stages that end otherwise, or with other outputs."""
    open: tuple[Open, ...] = ()
    unused: tuple[int, ...] = ()
    """Numbers of recorded events that nothing asked for any more."""
    notes: tuple[str, ...] = ()


def with_definition(
    recording: Recording, config: JsonObject, calculator: Calculator = _NO_TYPES
) -> tuple[Outcome, Execution]:
    """The run with another definition."""
    numbered = submission.with_ref_ids(config)
    new = {str(one.get("refId")): one for one in foreign.mappings(numbered.get("stages"))}
    notes: dict[str, list[str]] = {}
    events: list[RecordedEvent] = []
    old: dict[str, JsonObject] = {}
    for recorded in recording.events:
        event = recorded.event
        if isinstance(event, SubmissionPrepared):
            old = {str(one.get("refId")): one for one in foreign.mappings(event.config.get("stages"))}
            event, notes[event.key] = _submitted(event, numbered, calculator)
        elif isinstance(event, StagePrepared):
            stage = recording.execution.stages.get(event.stage_id)
            if stage is not None and stage.ref_id in new and stage.ref_id in old:
                said = notes.setdefault(event.key, [])
                event = _laid_over(event, old[stage.ref_id], new[stage.ref_id], said)
        events.append(replace(recorded, event=event))
    return _outcome(recording, _Run(recording, events, calculator, notes=notes))


def with_changes(
    recording: Recording, changes: Iterable[Change], calculator: Calculator = _NO_TYPES
) -> tuple[Outcome, Execution]:
    """The run with some events changed. Raises Refused for an event that doesn't exist, or would be none."""
    events = list(recording.events)
    changed: set[int] = set()
    for change in changes:
        place = next((place for place, one in enumerate(events) if one.number == change.number), None)
        if place is None:
            raise Refused(
                Problem(code="what_if.no_event", message=f"There is no event {change.number}.", pointer="/events")
            )
        merged = _merge_patch(to_json(events[place].event), change.event)
        try:
            events[place] = replace(events[place], event=stored.convert(merged, _EVENT))
        except msgspec.ValidationError as error:
            message = f"Event {change.number}, changed like that, is none: {error}."
            raise Refused(Problem(code="what_if.bad_event", message=message, pointer="/events")) from error
        changed.add(change.number)
    if not isinstance(events[0].event, Submitted):
        message = "The first event is the submission, from which everything follows; it can't become another one."
        raise Refused(Problem(code="what_if.bad_event", message=message, pointer="/events"))
    try:
        return _outcome(recording, _Run(recording, events, calculator, changed=frozenset(changed)))
    except OverflowError as error:
        message = "With these times the run would go on beyond the end of the calendar."
        raise Refused(Problem(code="what_if.bad_event", message=message, pointer="/events")) from error


def _submitted(
    event: SubmissionPrepared, numbered: JsonObject, calculator: Calculator
) -> tuple[SubmissionPrepared, list[str]]:
    """The submission of the other definition, and what is wrong with that."""
    config = {**event.config, **numbered}
    solved, wrong = calculator.problems(event.config), calculator.problems(config)
    others = [problem for problem in event.problems if problem not in solved]
    return replace(event, config=config, problems=(*others, *wrong)), [str(problem) for problem in wrong]


def _laid_over(event: StagePrepared, old: JsonObject, new: JsonObject, notes: list[str]) -> StagePrepared:
    context = dict(event.context)
    for key in [*old, *(key for key in new if key not in old)]:
        if key in _OWN or old.get(key) == new.get(key):
            continue
        if key not in new:
            context.pop(key, None)
        elif has_expressions(new[key]):
            notes.append(f"`{key}` of stage {new.get('name') or new.get('refId')} holds an expression: left as it was.")
        else:
            context[key] = new[key]
    return replace(event, context=context)


def _merge_patch(value: Json, patch: Json) -> Json:
    if not isinstance(patch, dict):
        return patch
    merged: JsonObject = (
        dict(value) if isinstance(value, dict) and value.get("type") == patch.get("type", value.get("type")) else {}
    )
    for key, item in patch.items():
        if item is None:
            merged.pop(key, None)
        else:
            merged[key] = _merge_patch(merged.get(key), item)
    return merged


def _outcome(recording: Recording, run: "_Run") -> tuple[Outcome, Execution]:
    execution = run.run()
    before = recording.execution
    was, now = ({stage.ref_id: stage for stage in one.in_order()} for one in (before, execution))
    outcome = Outcome(
        before=before.head.status.value,
        after=execution.head.status.value,
        seconds_before=_seconds(before),
        seconds_after=_seconds(execution),
        changed=tuple(one for ref in {**was, **now} if (one := _changed(was.get(ref), now.get(ref))) is not None),
        open=tuple(run.open()),
        unused=tuple(run.unused()),
        notes=tuple(run.notes),
    )
    return outcome, execution


def _seconds(execution: Execution) -> float | None:
    head = execution.head
    return (
        None if head.start_time is None or head.end_time is None else (head.end_time - head.start_time).total_seconds()
    )


def _changed(was: Stage | None, now: Stage | None) -> StageOutcome | None:
    one = now or was
    assert one is not None, "it is in one of the runs"
    outputs = tuple(differences.between(was.outputs if was else {}, now.outputs)) if now else ()
    before, after = (stage.status.value if stage else None for stage in (was, now))
    if before == after and not outputs:
        return None
    return StageOutcome(ref_id=one.ref_id, name=one.name, before=before, after=after, outputs=outputs)


class _Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """How an effect was answered in the recorded run."""

    took: timedelta
    """How long after it could be begun."""
    work: str
    """What was done: an answer to something else is none."""


class _Run:
    """One run over recorded answers."""

    def __init__(
        self,
        recording: Recording,
        events: list[RecordedEvent],
        calculator: Calculator,
        *,
        changed: frozenset[int] = frozenset(),
        notes: Mapping[str, Iterable[str]] = MappingProxyType({}),
    ) -> None:
        """`changed`: numbers of events that count as they are; `notes`: of recorded answers, for when they are used."""
        self._rules = recording.rules
        self._calculator = calculator
        self._pinned = changed
        self._notes_of = notes
        self.notes: list[str] = []
        first = events[0].event
        assert isinstance(first, Submitted)
        self._first = first
        self._execution = replay.accepted(first.head)
        self._answers: dict[str, RecordedEvent] = {}
        self._held: dict[str, RecordedEvent] = {}
        """Recorded answers to what is calculated, in case it can't be after all."""
        self._recorded = _as_recorded(recording)
        self._asked: dict[str, Effect] = {}
        self._why: dict[str, str] = {}
        """Why what is open is open."""
        self._heap: list[tuple[datetime, int, int, str, Event | None]] = []
        """Without an event: it is to be calculated."""
        self._count = 0
        for one in events[1:]:
            key = getattr(one.event, "key", "")
            if isinstance(one.event, TimerRang):
                continue
            if key:
                self._answers[key] = one
            else:
                self._push(one.event.at, one.number, "", one.event)

    def run(self) -> Execution:
        """To the end of what is known."""
        self._take(self._first)
        for _ in range(_STEPS_AT_MOST):
            if not self._heap:
                return self._execution
            at, _number, _place, key, event = heapq.heappop(self._heap)
            if key and key not in self._asked:
                continue
            if event is None:
                event = self._calculated(key, at)
            if isinstance(event, TimerRang):
                if self._is_open(event.key):
                    continue
                key = event.key  # what carries the limit stays asked for
            if event is not None:
                self._asked.pop(key, None)
                self._take(event)
        raise Refused(Problem(code="what_if.endless", message=f"After {_STEPS_AT_MOST} events no end was reached."))

    def open(self) -> list[Open]:
        """What was asked for and isn't known."""
        return [self._unknown(key, effect) for key, effect in self._asked.items() if key in self._why]

    def _unknown(self, key: str, effect: Effect) -> Open:
        stage = self._execution.stages.get(getattr(effect, "stage_id", None) or "")
        task_id = getattr(effect, "task_id", "")
        task = next((one for one in stage.tasks if one.id == task_id), None) if stage else None
        match effect:
            case PrepareStage():
                what = "how it begins"
            case PrepareAfterStages():
                what = "which stages follow in it"
            case _ if task is not None:
                what = f"what its task {task.name} gives"
            case _:
                what = "how it goes on"
        stage_name, ref_id = (stage.name, stage.ref_id) if stage else ("", "")
        return Open(key=key, stage=stage_name, ref_id=ref_id, what=what, why=self._why[key])

    def unused(self) -> list[int]:
        """Answers that nothing asked for."""
        return sorted(one.number for one in self._answers.values())

    def _is_open(self, timer: str) -> bool:
        """The timer is about a stage of which something isn't known, so neither is whether its time would run out."""
        about = keys.timed_stage(self._execution.head.id, timer)
        unknown = [effect for key, effect in self._asked.items() if key in self._why]
        above = {one for effect in unknown for one in self._above(getattr(effect, "stage_id", None))}
        return about is not None and about[0] in above

    def _above(self, stage_id: str | None) -> Iterator[str]:
        """The stage and those that it is a part of."""
        while stage_id is not None and (stage := self._execution.stages.get(stage_id)) is not None:
            yield stage_id
            stage_id = stage.parent_id

    def _take(self, event: Event) -> None:
        step = advance.advance(self._execution, event, self._rules)
        self._execution = step.execution
        for key in step.dropped:
            self._asked.pop(key, None)
        for pending in step.effects:
            self._ask(pending, event.at)
        if step.execution.head.status.is_complete:
            for pending in step.effects:
                if not isinstance(pending.effect, StopTask | Notify):
                    self._asked.pop(pending.effect.key, None)

    def _ask(self, pending: PendingEffect, now: datetime) -> None:
        effect = pending.effect
        key = effect.key
        at = max(now, pending.due) if pending.due else now
        self._asked[key] = effect
        if isinstance(effect, StartTimer):
            self._push(at, _LATE, key, TimerRang(at=at, key=key))
            return
        timer = limits.carried(pending)
        if timer is not None and timer.due is not None:
            rings = max(now, timer.due)
            self._push(rings, _LATE, key, TimerRang(at=rings, key=timer.effect.key))
        answer = self._answers.pop(key, None)
        recorded = self._recorded.get(key)
        at += recorded.took if recorded else timedelta()
        why = self._calculator.why_not(effect, self._execution)
        if answer is not None and answer.number in self._pinned:
            self._push(at, answer.number, key, replace(answer.event, at=at))
        elif not why and (answer is not None or not self._waits_for_a_person(effect, at > now)):
            if answer is not None:
                self._held[key] = answer
            self._push(at, answer.number if answer else _LATE - 1, key, None)
        elif answer is not None and recorded is not None and recorded.work == _work(self._execution, effect):
            self._push(at, answer.number, key, self._used(answer, at))
        elif not isinstance(effect, _TOLD):
            self._why[key] = why or "nobody has judged"

    def _waits_for_a_person(self, effect: Effect, is_later: bool) -> bool:  # noqa: FBT001 - a plain fact
        """A look that only time brings finds the same: what it waits for is a command."""
        if not isinstance(effect, RunTask) or not is_later:
            return False
        tasks = self._execution.stages[effect.stage_id].tasks
        return any(one.id == effect.task_id and isinstance(one.waiting_for, ForJudgment) for one in tasks)

    def _calculated(self, key: str, at: datetime) -> Event | None:
        """The answer as it is calculated, else as it was recorded; None: there is none."""
        effect = self._asked[key]
        held = self._held.pop(key, None)
        found = self._calculator.answer(effect, self._execution, at)
        if not isinstance(found, str):
            if held is not None:
                self._compare(held.event, found)
            return found
        recorded = self._recorded.get(key)
        if held is not None and recorded is not None and recorded.work == _work(self._execution, effect):
            return self._used(held, at)
        self._why[key] = found
        return None

    def _used(self, answer: RecordedEvent, at: datetime) -> Event:
        self.notes.extend(self._notes_of.get(getattr(answer.event, "key", ""), ()))
        event: Event = replace(answer.event, at=at)
        return event

    def _compare(self, recorded: Event, found: Event) -> None:
        """Says which values are others now, where what was done with them is taken from the recording all the same."""
        if not isinstance(recorded, StagePrepared) or not isinstance(found, StagePrepared):
            return
        before, after = recorded.context, found.context
        others = [key for key in {**before, **after} if before.get(key) != after.get(key)]
        stage = self._execution.stages[found.stage_id]
        if others and any(not self._calculator.is_calculation(stage, one.implementing_class) for one in found.tasks):
            listed = ", ".join(f"`{key}`" for key in others[:_NAMED]) + (" …" if len(others) > _NAMED else "")
            self.notes.append(
                f"Stage {stage.name} would run with other values of {listed}; what its tasks gave is taken as recorded."
            )

    def _push(self, at: datetime, number: int, key: str, event: Event | None) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, number, self._count, key, event))


def _as_recorded(recording: Recording) -> dict[str, _Recorded]:
    """How each effect was answered in the recorded run."""
    execution = replay.accepted(recording.head)
    asked: dict[str, tuple[datetime, str]] = {}
    found: dict[str, _Recorded] = {}
    for recorded in recording.events:
        event = recorded.event
        key = getattr(event, "key", "")
        if key in asked:
            begun, work = asked[key]
            found[key] = _Recorded(took=max(event.at - begun, timedelta()), work=work)
        step = advance.advance(execution, event, recording.rules)
        execution = step.execution
        for pending in step.effects:
            at = max(event.at, pending.due) if pending.due else event.at
            asked[pending.effect.key] = at, _work(execution, pending.effect)
    return found


def _work(execution: Execution, effect: Effect) -> str:
    """What would be done, apart from the values that it is done with."""
    stage = execution.stages.get(getattr(effect, "stage_id", None) or "")
    task_id = getattr(effect, "task_id", "")
    names = [one.implementing_class for one in stage.tasks if one.id == task_id] if stage else []
    return "/".join([type(effect).__name__, rules.type_name(stage) if stage else "", *names])


_TOLD = (Notify, StopTask, Deliver, TellQueue)
"""Nothing waits for their answers."""
_NAMED = 5
_LATE = 1 << 62
"""At the same instant a recorded answer comes before a timer."""
