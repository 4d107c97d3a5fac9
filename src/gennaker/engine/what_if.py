"""What if: the same events against another definition, or with some of them changed.

Theory of operation. What was recorded is taken apart into answers (results, by the key of the effect that they answer)
and commands (everything else, with its instant). The run begins anew with the other definition: whenever an effect is
asked for whose key has a recorded answer, that answer comes, as long after the asking as it took then; a timer rings
when it would ring now; commands come when they came. So a stage that now starts earlier, later or never gets its
answers in the right order. What is asked for and was never answered stays open and is listed: nobody knows what a new
stage would have done (`gennaker simulate` lets one say so).

A recorded plan holds the stage's evaluated context. Where the definition of the stage has changed, the changed keys
are laid over it; those with expressions can't be evaluated here and are listed.
"""

import heapq
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from gennaker.engine import advance, replay, submission
from gennaker.engine.contexts import has_expressions
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
    StartTimer,
    StopTask,
    TellQueue,
)
from gennaker.model.event import Event, StagePrepared, SubmissionPrepared, Submitted, TimerRang
from gennaker.model.execution import Execution
from gennaker.model.problems import Problem, Refused

_STEPS_AT_MOST = 100_000
_OWN = frozenset({"refId", "requisiteStageRefIds", "name", "type"})
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


class Open(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What would have to be known to go on."""

    key: str
    """Of the effect to which no answer was recorded."""
    stage: str
    """Its name; empty where it is the whole execution's."""
    ref_id: str
    what: str
    """What isn't known of it: `what its task wait gives`."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What would have come of it."""

    before: str
    """The execution's status as recorded."""
    after: str
    changed: tuple[StageOutcome, ...]
    """Stages that end otherwise."""
    open: tuple[Open, ...] = ()
    unused: tuple[int, ...] = ()
    """Numbers of recorded events that nothing asked for any more."""
    notes: tuple[str, ...] = ()


def with_definition(recording: Recording, config: JsonObject) -> tuple[Outcome, Execution]:
    """The run with another definition."""
    numbered = submission.with_ref_ids(config)
    new = {str(one.get("refId")): one for one in foreign.mappings(numbered.get("stages"))}
    notes: list[str] = []
    events: list[RecordedEvent] = []
    old: dict[str, JsonObject] = {}
    for recorded in recording.events:
        event = recorded.event
        if isinstance(event, SubmissionPrepared):
            old = {str(one.get("refId")): one for one in foreign.mappings(event.config.get("stages"))}
            event = replace(event, config={**event.config, **numbered})
        elif isinstance(event, StagePrepared):
            stage = recording.execution.stages.get(event.stage_id)
            if stage is not None and stage.ref_id in new and stage.ref_id in old:
                event = _laid_over(event, old[stage.ref_id], new[stage.ref_id], notes)
        events.append(replace(recorded, event=event))
    return _run(recording, events, notes)


def with_changes(recording: Recording, changes: Iterable[Change]) -> tuple[Outcome, Execution]:
    """The run with some events changed. Raises Refused for an event that doesn't exist, or would be none."""
    events = list(recording.events)
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
    return _run(recording, events, [])


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
    if new.get("type") != old.get("type"):
        notes.append(f"Stage {new.get('refId')} has another type now; its recorded plan is used all the same.")
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


def _run(recording: Recording, events: list[RecordedEvent], notes: list[str]) -> tuple[Outcome, Execution]:
    run = _Run(recording, events)
    execution = run.run()
    before = recording.execution
    refs = {stage.ref_id: stage.name for one in (before, execution) for stage in one.in_order()}
    was, now = ({stage.ref_id: stage.status.value for stage in one.in_order()} for one in (before, execution))
    changed = tuple(
        StageOutcome(ref_id=ref, name=name, before=was.get(ref), after=now.get(ref))
        for ref, name in refs.items()
        if was.get(ref) != now.get(ref)
    )
    outcome = Outcome(
        before=before.head.status.value,
        after=execution.head.status.value,
        changed=changed,
        open=tuple(run.open()),
        unused=tuple(run.unused()),
        notes=tuple(notes),
    )
    return outcome, execution


class _Run:
    """One run over recorded answers."""

    def __init__(self, recording: Recording, events: list[RecordedEvent]) -> None:
        self._rules = recording.rules
        first = events[0].event
        assert isinstance(first, Submitted)
        self._first = first
        self._execution = replay.accepted(first.head)
        self._answers: dict[str, RecordedEvent] = {}
        self._took = _lengths(recording)
        self._asked: dict[str, Effect] = {}
        self._heap: list[tuple[datetime, int, int, str, Event]] = []
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
            _at, _number, _place, key, event = heapq.heappop(self._heap)
            if key and self._asked.pop(key, None) is None:
                continue
            self._take(event)
        raise Refused(Problem(code="what_if.endless", message=f"After {_STEPS_AT_MOST} events no end was reached."))

    def open(self) -> list[Open]:
        """What was asked for and isn't known."""
        told = (Notify, StopTask, Deliver, TellQueue)
        return [self._unknown(key, effect) for key, effect in self._asked.items() if not isinstance(effect, told)]

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
        return Open(key=key, stage=stage.name if stage else "", ref_id=stage.ref_id if stage else "", what=what)

    def unused(self) -> list[int]:
        """Answers that nothing asked for."""
        return sorted(one.number for one in self._answers.values())

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
        at = max(now, pending.due) if pending.due else now
        if isinstance(effect, StartTimer):
            self._asked[effect.key] = effect
            self._push(at, _LATE, effect.key, TimerRang(at=at, key=effect.key))
            return
        self._asked[effect.key] = effect
        answer = self._answers.pop(effect.key, None)
        if answer is not None:
            at += self._took.get(effect.key, timedelta())
            self._push(at, answer.number, effect.key, replace(answer.event, at=at))

    def _push(self, at: datetime, number: int, key: str, event: Event) -> None:
        self._count += 1
        heapq.heappush(self._heap, (at, number, self._count, key, event))


def _lengths(recording: Recording) -> dict[str, timedelta]:
    """How long after it could be begun each effect was answered in the recorded run."""
    execution = replay.accepted(recording.head)
    asked: dict[str, datetime] = {}
    lengths: dict[str, timedelta] = {}
    for recorded in recording.events:
        event = recorded.event
        begun = asked.get(getattr(event, "key", ""))
        if begun is not None:
            lengths[getattr(event, "key", "")] = max(event.at - begun, timedelta())
        step = advance.advance(execution, event, recording.rules)
        execution = step.execution
        for pending in step.effects:
            asked[pending.effect.key] = max(event.at, pending.due) if pending.due else event.at
    return lengths


_LATE = 1 << 62
"""At the same instant a recorded answer comes before a timer."""
