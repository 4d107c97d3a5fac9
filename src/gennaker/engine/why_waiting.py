"""Why something waits: one answer for each kind of wait, and for what is wrong with the waiting itself."""

from datetime import datetime, timedelta
from typing import assert_never

from msgspec.structs import replace

from gennaker.engine import timing
from gennaker.engine.answers import Answer, Link, Way, named
from gennaker.interfaces.inspection import Work, Workforce
from gennaker.model.effect import PendingEffect
from gennaker.model.execution import Execution, Stage, Task
from gennaker.model.waiting import (
    ForArtifact,
    ForExecution,
    ForJudgment,
    ForLock,
    ForObject,
    ForOther,
    ForPause,
    ForRetry,
    ForTime,
    ForTurn,
    ForWindow,
    ForWork,
    Waiting,
)

_SKEW = timedelta(minutes=1)
"""Two servers' clocks may differ by less, without anybody having put one back."""


def code_of(wait: Waiting) -> str:
    """The kind of a wait as answers name it: its `type` in JSON."""
    return str(type(wait).__struct_config__.tag)


def of_wait(
    execution: Execution, stage: Stage | None, task: Task | None, wait: Waiting, *, chain: tuple[Link, ...]
) -> Answer:
    """What a wait says."""
    what = named(execution, stage) if stage else f"Execution {execution.head.id}"
    begun = (task.start_time if task else None) or (stage.start_time if stage else None) or execution.head.build_time
    about, observed = _object(wait)
    return Answer(
        code=f"{code_of(wait)}.refused" if isinstance(wait, ForJudgment) and wait.refused else code_of(wait),
        sentence=f"{what} waits for {wait.reason.rstrip('.')}.",
        execution_id=execution.head.id,
        stage_id=stage.id if stage else "",
        stage=stage.name if stage else "",
        task=task.name if task else "",
        about=about,
        observed=observed,
        url=wait.url if isinstance(wait, ForObject) else "",
        since=wait.since or begun,
        goes_on_at=_goes_on_at(wait),
        ways=tuple(_ways(execution, stage, wait)),
        chain=chain,
        notes=_notes(stage),
    )


def _object(wait: Waiting) -> tuple[str, str]:
    match wait:
        case ForObject(kind=kind, name=name, observed=observed, place=place):
            return f"{kind} {name}" + (f" in {place}" if place else ""), observed
        case ForLock(lock=lock, holder=holder):
            return lock, f"held by execution {holder}" if holder else ""
        case ForTurn(queue=queue, running=running):
            return f"queue {queue}", f"{len(running)} running" if running else ""
        case ForExecution(execution_id=execution_id, name=name, status=status):
            return f"execution {execution_id} of {name}" if name else f"execution {execution_id}", status
        case ForArtifact(kind=kind, name=name, reference=reference):
            return f"artifact {reference or name} ({kind})" if kind else f"artifact {reference or name}", ""
        case ForRetry(problem=problem, attempt=attempt, at_most=at_most):
            tries = f"try {attempt} of {at_most}" if at_most else f"try {attempt}"
            return problem.code, f"{tries} comes next, after: {problem}"
        case _:
            return "", ""


def _goes_on_at(wait: Waiting) -> datetime | None:
    match wait:
        case ForTime(until=at) | ForWindow(opens_at=at) | ForRetry(due=at):
            return at
        case _:
            return None


def _ways(  # noqa: C901, PLR0912 - one line for each kind of wait
    execution: Execution, stage: Stage | None, wait: Waiting
) -> list[Way]:
    head = execution.head
    at = f" --stage {_quoted(stage.ref_id)}" if stage else ""
    cancel = Way(who="anyone who may run it", how="Cancel the execution.", command=f"gennaker cancel {head.id}")
    match wait:
        case ForJudgment(roles=roles):
            who = f"someone with one of the roles {', '.join(roles)}" if roles else "anyone who may run the pipeline"
            choice = f" --input {_quoted(wait.choices[0])}" if wait.choices else ""
            return [
                Way(who=who, how="Let it go on.", command=f"gennaker approve {head.id}{at}{choice}"),
                Way(who=who, how="Stop it.", command=f"gennaker reject {head.id}{at}"),
            ]
        case ForTime() | ForWindow():
            skip = Way(who="anyone who may run it", how="Skip the rest.", command=f"gennaker skip {head.id}{at}")
            clock = Way(who="the clock", how="It goes on by itself.")
            return [clock, skip] if stage and stage.type in timing.SKIPPED_BY else [clock, cancel]
        case ForPause(by=by):
            who = f"{by}, or anyone who may run it" if by else "anyone who may run it"
            return [Way(who=who, how="Resume the execution.", command=f"gennaker resume {head.id}")]
        case ForTurn(running=running) if running:
            first = Way(who=f"execution {running[0]}", how="It ends.", command=f"gennaker why {running[0]}")
            return [first, Way(who=cancel.who, how="Cancel it.", command=f"gennaker cancel {running[0]}"), cancel]
        case ForLock(holder=holder) if holder:
            return [Way(who=f"execution {holder}", how="It ends.", command=f"gennaker why {holder}"), cancel]
        case ForExecution(execution_id=other):
            return [Way(who=f"execution {other}", how="It ends.", command=f"gennaker why {other}"), cancel]
        case ForObject(kind=kind, name=name, place=place):
            where = f" in {place}" if place else ""
            return [Way(who=f"{kind} {name}{where}", how="It becomes what the stage waits for."), cancel]
        case ForArtifact():
            return [Way(who="who makes the artifact", how="It appears."), cancel]
        case ForRetry(problem=problem):
            mend = Way(who="who can mend it", how=problem.remedy or f"Mend this: {problem.message}")
            return [Way(who="the engine", how="It tries again by itself."), mend, cancel]
        case ForWork():
            return [Way(who="the worker", how="Its work ends."), cancel]
        case ForOther() if stage and stage.type in timing.SKIPPED_BY:
            skip = Way(who="anyone who may run it", how="Skip it this once.", command=f"gennaker skip {head.id}{at}")
            return [Way(who="an operator", how="Take the condition out of the settings."), skip, cancel]
        case ForOther() | ForTurn() | ForLock():
            return [cancel]
        case _:
            assert_never(wait)


def _notes(stage: Stage | None) -> tuple[str, ...]:
    summary = stage.context.get("expressionEvaluationSummary") if stage else None
    if not isinstance(summary, dict) or not summary:
        return ()
    named = ", ".join(f"`{one}`" for one in list(summary)[:3])
    return (f"Expressions of the stage could not be evaluated and stayed text: {named}.",)


def paused(execution: Execution, chain: tuple[Link, ...]) -> Answer:
    """The execution was paused."""
    pause = execution.head.paused
    by = pause.paused_by if pause else ""
    wait = execution.head.waiting_for or ForPause(reason="someone to resume it", by=by)
    answer = of_wait(execution, None, None, wait, chain=chain)
    return replace(answer, since=pause.pause_time if pause else answer.since, about=f"pause by {by}")


def deadlock(execution: Execution, chain: tuple[Link, ...]) -> Answer:
    """It waits, through others, for itself."""
    last = chain[-1]
    circle = [link.execution_id for link in chain]
    named = " waits for ".join([*circle[circle.index(execution.head.id) :], execution.head.id])
    return Answer(
        code="deadlock",
        sentence=f"A circle that nothing ends: {named}.",
        execution_id=last.execution_id,
        stage_id=last.stage_id,
        since=last.since,
        ways=(
            Way(who="anyone who may run it", how="Cancel one.", command=f"gennaker cancel {last.execution_id}"),
            Way(who="the owner of the pipeline", how="Don't let it wait for its own turn: see `limitConcurrent`."),
        ),
        chain=chain,
    )


def expiring(answer: Answer, expiry: datetime | None) -> Answer:
    """The answer for an execution in a queue that is cancelled when its turn comes after its `startTimeExpiry`."""
    if expiry is None or (answer.times_out_at is not None and answer.times_out_at <= expiry):
        return answer
    then = "When its turn comes later than that, the execution is cancelled: its start time has expired."
    return replace(answer, times_out_at=expiry, then=then)


def too_late(answer: Answer) -> Answer:
    """An answer that goes on by itself: but not if its time limit, or that of whoever waits for it, comes first."""
    if answer.goes_on_at is None or answer.times_out_at is None or answer.goes_on_at < answer.times_out_at:
        return answer
    ways = tuple(way for way in answer.ways if way.who != "the clock")
    note = "Its time limit comes before it would go on by itself."
    return replace(answer, ways=ways, notes=(note, *answer.notes))


def counted_from_ahead(answer: Answer, at: datetime) -> Answer:
    """An answer whose wait began at a time that hasn't come yet: the clock was put back since."""
    if answer.since is None or answer.since - at <= _SKEW:
        return answer
    note = "It began at a time that lies ahead: the clock was put back meanwhile, and what is timed takes longer by as much."
    return replace(answer, notes=(note, *answer.notes))


def lost(execution: Execution, stage: Stage | None, what: str, chain: tuple[Link, ...]) -> Answer:
    """Nothing will move it on: no wait that anybody knows of."""
    name = f"Stage {stage.name}" if stage else f"Execution {execution.head.id}"
    head = execution.head
    ways = [Way(who="anyone who may run it", how="Cancel it.", command=f"gennaker cancel {head.id}")]
    return Answer(
        code="lost",
        sentence=f"{name} {what}.",
        execution_id=head.id,
        stage_id=stage.id if stage else "",
        stage=stage.name if stage else "",
        since=(stage.start_time if stage else None) or head.start_time or head.build_time,
        ways=tuple(ways),
        chain=chain,
    )


def unasked(execution: Execution, stage: Stage | None, task: Task | None, base: Answer) -> Answer:
    """Nothing in the outbox would move it on: a fault of the engine or of the store."""
    what = f"task {task.name} of stage {stage.name}" if stage and task else "it"
    head = execution.head
    ways = [Way(who="anyone who may run it", how="Cancel it.", command=f"gennaker cancel {head.id}")]
    return replace(
        base,
        code="lost.effect",
        sentence=f"Nothing is asked for that would move {what} on. This is a fault; please report it.",
        ways=tuple(ways),
    )


def no_worker(base: Answer, workforce: Workforce) -> Answer:
    """No server runs, or it has only just begun."""
    if workforce.name:
        return replace(
            base,
            code="worker.recovering",
            sentence=f"{workforce.name.capitalize()} is still taking up what was unfinished. {base.sentence}",
            ways=(Way(who="the server", how="It goes on by itself."), *base.ways),
        )
    return replace(
        base,
        code="worker.down",
        sentence=f"No server runs: nothing moves. {base.sentence}",
        ways=(Way(who="an operator", how="Start the server.", command="gennaker serve"),),
    )


def not_taken(base: Answer, pending: PendingEffect, workforce: Workforce) -> Answer:
    """Due, but no worker is at it."""
    return replace(
        base,
        code="worker.gone",
        sentence=f"Nobody performs {pending.effect.key}, which is due. {base.sentence}",
        since=pending.due or base.since,
        goes_on_at=None,
        ways=(
            Way(who="an operator", how=f"Restart {workforce.name}: it takes up what is unfinished; nothing is lost."),
            *base.ways,
        ),
    )


def no_hand(base: Answer, workforce: Workforce) -> Answer:
    """Taken, but all hands are busy."""
    busy = sum(one.since is not None for one in workforce.at_work.values())
    return replace(
        base,
        code="worker.busy",
        sentence=f"All {workforce.hands} hands of {workforce.name} are busy with {busy} other tasks. {base.sentence}",
        ways=(
            Way(who="the server", how="It goes on when a task ends."),
            Way(who="an operator", how="Raise engine.concurrent-tasks, and restart the server."),
            *base.ways,
        ),
    )


def elsewhere(base: Answer, work: Work) -> Answer:
    """Another server of the same store has it."""
    return replace(base, observed=base.observed or f"The server {work.worker} has it.")


def at_work(base: Answer, wait: Waiting, work: Work) -> Answer:
    """A worker is at it now."""
    if not isinstance(wait, ForWork):
        return base
    about = f"task {base.task}, done by {work.worker}" if base.task else f"worker {work.worker}"
    return replace(base, since=work.since, observed=f"{work.worker} is at it", about=about)


def after_time_out(stage: Stage, what: str) -> str:
    """What the engine does when a limit is reached."""
    said = f"the time limit of {what} is reached"
    if stage.context.get("markSuccessfulOnTimeout") is True:
        return f"When {said}, the task counts as successful."
    return after_failure(stage, said)


def after_failure(stage: Stage, said: str) -> str:
    """What the engine does when a stage fails, for which `said` is the occasion."""
    if stage.context.get("continuePipeline") is True:
        return f"When {said}, the stage fails and the pipeline goes on."
    if stage.context.get("failPipeline") is False:
        return f"When {said}, the stage stops and other branches go on."
    return f"When {said}, the stage and the pipeline fail."


def _quoted(text: str) -> str:
    return text if text.isalnum() else "'" + text.replace("'", "'\\''") + "'"
