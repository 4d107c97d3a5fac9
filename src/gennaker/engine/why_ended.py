"""Why something has ended as it has: failed, cancelled, skipped, stopped, or never begun."""

from collections.abc import Iterator

from gennaker.engine import evaluating, graph, restarts
from gennaker.engine.answers import Answer, Link, Way, named
from gennaker.expressions.failures import placed, question
from gennaker.interfaces.inspection import Facts, Known
from gennaker.model import ancestry, foreign, half_applied, problems, undrained
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import NotificationReported, Outcome, StagePrepared
from gennaker.model.execution import Execution, Head, Stage
from gennaker.model.statuses import Status

_CAUSES = frozenset({Status.TERMINAL, Status.STOPPED, Status.FAILED_CONTINUE})
_SUPERSEDED = "newer queued execution"
_EXPIRED = "start time expiry"
_SHOWN = 3
"""Failed expressions of a stage that are named."""
_BY_PARENT = "parent pipeline"
_LOG_LINES = 15
"""Of what has failed."""
_LONGEST = 200
"""Characters of an expression that are shown."""


def of_execution(facts: Facts, known: Known, chain: tuple[Link, ...]) -> Iterator[Answer]:
    """Why an execution that is complete has its status."""
    execution = known.execution
    head = execution.head
    if head.status is Status.CANCELED:
        yield from _canceled(facts, known, chain)
    elif head.status is Status.TERMINAL:
        causes = list(_failed_leaves(execution))
        if not causes:
            yield _not_begun(execution, chain)
        for stage in causes:
            yield from of_stage(facts, known, stage, chain)
    else:
        undone = [said for one in execution.in_order() for said in undrained.sentences(one.context)]
        notes = (*_failed_all_the_same(execution), *undone)
        said = f"Execution {head.id} has ended {head.status.value}."
        yield _answer(execution, None, "succeeded", said, chain, notes=notes)
    yield from _unknown_messages(known, chain)


def of_stage(facts: Facts, known: Known, stage: Stage, chain: tuple[Link, ...]) -> Iterator[Answer]:
    """Why a stage that is complete has its status."""
    execution = known.execution
    match stage.status:
        case Status.SKIPPED:
            yield _skipped(known, stage, chain)
        case Status.CANCELED if execution.head.is_canceled:
            yield from _canceled(facts, known, chain)
        case Status.SUCCEEDED:
            said, notes = f"Stage {stage.name} has succeeded.", undrained.sentences(stage.context)
            yield _answer(execution, stage, "succeeded", said, chain, notes=notes)
        case _:
            below = [one for one in _failed_below(execution, stage) if one.id != stage.id]
            for one in below:
                yield from of_stage(facts, known, one, chain)
            if not below:
                yield from _failed(facts, known, stage, chain)


def _failed_all_the_same(execution: Execution) -> Iterator[str]:
    """What went wrong in an execution that ended well, and what never began for it."""
    for stage in execution.top_level():
        if stage.status in (Status.STOPPED, Status.FAILED_CONTINUE):
            command = f"gennaker why {execution.head.id} --stage {stage.ref_id}"
            yield f"Stage {stage.name} failed ({stage.status.value}), which the pipeline lets pass: {command}."
    left = [stage.name for stage in execution.top_level() if stage.status is Status.NOT_STARTED]
    if left:
        yield f"Never started: {', '.join(left[:_SHOWN])}{' …' if len(left) > _SHOWN else ''}."


def never_started(execution: Execution, stage: Stage, chain: tuple[Link, ...]) -> Answer:
    """A stage of an execution that is over, which never began."""
    relations = graph.of(execution)
    required = graph.requisites(relations, execution.stages, stage)
    bad = next((one for one in required if not one.status.satisfies_downstream), None)
    if bad is not None:
        said = f"Stage {stage.name} never started: {bad.name}, which it requires, is {bad.status.value}."
    else:
        said = f"Stage {stage.name} never started: the execution ended {execution.head.status.value} before."
    return _answer(execution, stage, "never-started", said, chain)


def _failed(facts: Facts, known: Known, stage: Stage, chain: tuple[Link, ...]) -> Iterator[Answer]:
    """A failure with its problem; that of a child execution is followed to where it happened."""
    execution = known.execution
    head = execution.head
    problem = _problem(stage)
    code, message = str(problem.get("code", "")), str(problem.get("message", ""))
    said = f"{named(execution, stage)} failed: {message or stage.status.value}"
    child = _child(facts, stage, chain, head)
    if child is not None and (code == "pipeline.child_failed" or stage.status is Status.CANCELED):
        link = Link(code="execution", sentence=said, execution_id=head.id, stage_id=stage.id, since=stage.end_time)
        yield from of_execution(facts, child, (*chain, link))
        return
    details = foreign.mapping(problem.get("details"))
    yield _answer(
        execution,
        stage,
        _kind(code, stage),
        said if said.endswith((".", "!", "?", ")")) else f"{said}.",
        chain,
        ways=_after_failure(execution, stage, str(problem.get("remedy", ""))),
        about=code,
        notes=(*_expressions(stage), *half_applied.sentences(stage.name, stage.context)),
        log=_last_lines(problems.log_of(details)),
        url=foreign.text_at(details, "url"),
    )


def _child(facts: Facts, stage: Stage, chain: tuple[Link, ...], parent: Head) -> Known | None:
    """The stage's child that has ended by itself; None where following it would come back.

    Its context may name any execution. Of others than its own child, or one of the same application, nothing is told: who may
    read the one needn't have the right to read the other.
    """
    found = facts.known.get(str(stage.context.get("executionId") or ""))
    if found is None or any(link.execution_id == parent.id for link in chain):
        return None
    child = found.execution.head
    starter = foreign.text_at(child.trigger.get(ancestry.KEY), "id")
    if starter != parent.id and child.application.lower() != parent.application.lower():
        return None
    return found if child.status.is_complete and child.canceled_by != _BY_PARENT else None


def _last_lines(log: str) -> str:
    return "\n".join(log.splitlines()[-_LOG_LINES:])


def _kind(code: str, stage: Stage) -> str:
    if code.endswith(".timed_out"):
        return "timed-out"
    if code in ("effect.unknown", "judgment.stopped"):
        return code
    if not code and _expressions(stage):
        return "failed.expressions"
    return "failed"


def _canceled(facts: Facts, known: Known, chain: tuple[Link, ...]) -> Iterator[Answer]:
    execution = known.execution
    head = execution.head
    reason = head.cancellation_reason or ""
    parent = head.trigger.get("parentExecution")
    parent_id = str(parent.get("id") or "") if isinstance(parent, dict) else ""
    if _SUPERSEDED in reason:
        newer = reason.rpartition(": ")[2]
        said = f"It waited in its pipeline's queue and the newer execution {newer} took its place."
        yield _answer(execution, None, "canceled.superseded", said, chain, about=f"execution {newer}")
    elif _EXPIRED in reason:
        yield _answer(execution, None, "canceled.expired", f"Its start time had expired: {reason}.", chain)
    elif head.canceled_by == _BY_PARENT and parent_id in facts.known:
        said = f"The execution {parent_id} of {_ended_parent(facts.known[parent_id])}"
        yield _answer(execution, None, "canceled.parent", said, chain, about=f"execution {parent_id}")
    elif head.is_canceled:
        by = head.canceled_by or "someone"
        notes = tuple(said for one in execution.in_order() for said in half_applied.sentences(one.name, one.context))
        said = f"Cancelled by {by}: {reason or 'no reason given'}."
        yield _answer(execution, None, "canceled", said, chain, notes=notes)
    else:
        yield from _canceled_parts(facts, known, chain)


def _ended_parent(parent: Known) -> str:
    """What became of an execution that has ended its child."""
    head = parent.execution.head
    if not head.is_canceled:
        what = (
            f"has ended {head.status.value}" if head.status.is_complete else "has given up the stage that waited for it"
        )
        return f"{head.name}, which had started it, {what}: gennaker why {head.id}."
    by = f" by {head.canceled_by}: {head.cancellation_reason or 'no reason given'}" if head.canceled_by else ""
    return f"{head.name}, which had started it, was cancelled{by}."


def _canceled_parts(facts: Facts, known: Known, chain: tuple[Link, ...]) -> Iterator[Answer]:
    """An execution that nobody cancelled, but stages of it, or executions that they had started."""
    execution = known.execution
    stages = [one for one in execution.in_order() if one.status is Status.CANCELED]
    children = [one for one in stages if _child(facts, one, chain, execution.head) is not None]
    for stage in children:
        yield from _failed(facts, known, stage, chain)
    if not children:
        named = ", ".join(one.name for one in stages[:3])
        said = f"What it consists of was cancelled: {named}."
        ways = _after_failure(execution, stages[0], "")[:1] if stages else ()
        yield _answer(execution, None, "canceled.stage", said, chain, ways=ways)


def _skipped(known: Known, stage: Stage, chain: tuple[Link, ...]) -> Answer:
    execution = known.execution
    for recorded in reversed(known.journal):
        event = recorded.event
        if isinstance(event, StagePrepared) and event.stage_id == stage.id and event.skip:
            said = f"Stage {stage.name} was skipped: {event.skip.rstrip('.')}."
            return _answer(execution, stage, "skipped", said, chain)
    if stage.context.get("manualSkip") is True:
        said = f"Stage {stage.name} says `manualSkip: true` itself."
        if stage.last_modified:
            said = f"{stage.last_modified.user} skipped stage {stage.name}."
        return _answer(execution, stage, "skipped.by-hand", said, chain)
    if stage.start_time_expiry is not None and stage.start_time is None:
        said = f"Stage {stage.name} was skipped: its start time had expired at {stage.start_time_expiry.isoformat()}."
        return _answer(execution, stage, "skipped.expired", said, chain)
    return _answer(execution, stage, "skipped", f"Stage {stage.name} had nothing to do.", chain)


def _not_begun(execution: Execution, chain: tuple[Link, ...]) -> Answer:
    head = execution.head
    if head.cancellation_reason:
        ways = (Way(who="the owner of the pipeline", how="Mend the definition and start it again."),)
        return _answer(execution, None, "failed.submission", f"{head.cancellation_reason}", chain, ways=ways)
    waiting = [one for one in execution.top_level() if one.status is Status.NOT_STARTED]
    named = ", ".join(one.name for one in waiting[:3]) or "none"
    said = f"It could not go on: what is left ({named}) requires stages that don't exist, or each other."
    if not execution.stages:
        said = "The pipeline has no stages."
    return _answer(execution, None, "failed.graph", said, chain)


def _unknown_messages(known: Known, chain: tuple[Link, ...]) -> Iterator[Answer]:
    for recorded in known.journal:
        event = recorded.event
        if isinstance(event, NotificationReported) and event.outcome is not Outcome.DONE:
            is_unknown = event.outcome is Outcome.UNKNOWN
            code = "notification.unknown" if is_unknown else "notification.failed"
            why = f": {event.problem.message}" if event.problem else "."
            said = "may or may not have arrived" if is_unknown else "was not delivered"
            moment = event.key.partition("/notify/")[2].partition("/")[0]
            mend = event.problem.remedy if event.problem else ""
            failed = Way(who="who can mend it", how=mend or "Correct its address or its settings, for the next time.")
            ask = Way(who="a person", how="Ask whoever should have got it.")
            yield _answer(
                known.execution,
                None,
                code,
                f"The notification of {moment or event.key} {said}{why}",
                chain,
                about=event.key,
                ways=(ask,) if is_unknown else (failed,),
            )


def _failed_leaves(execution: Execution) -> Iterator[Stage]:
    for stage in execution.top_level():
        if stage.status in _CAUSES and stage.status is not Status.FAILED_CONTINUE:
            yield from _failed_below(execution, stage)


def _failed_below(execution: Execution, stage: Stage) -> Iterator[Stage]:
    """The deepest failed stages; those that undo a failure come after it and aren't its cause."""
    below = [one for one in graph.children(graph.of(execution), execution.stages, stage.id) if one.status in _CAUSES]
    own = any(task.status in _CAUSES for task in stage.tasks)
    if own or not below:
        yield stage
        return
    for one in below:
        yield from _failed_below(execution, one)


def _problem(stage: Stage) -> JsonObject:
    found = foreign.mappings(stage.context.get("problems"))
    if found:
        return found[0]
    exception = stage.context.get("exception")
    details: Json = exception.get("details") if isinstance(exception, dict) else None
    errors = details.get("errors") if isinstance(details, dict) else None
    return {"message": "; ".join(map(str, errors))} if isinstance(errors, list) and errors else {}


def _after_failure(execution: Execution, stage: Stage, remedy: str) -> tuple[Way, ...]:
    top = stage
    while top.parent_id is not None:
        top = execution.stages[top.parent_id]
    at = f"{execution.head.id} --stage {top.ref_id}"
    mend = [Way(who="who can mend it", how=remedy)] if remedy else []
    relations = graph.of(execution)
    if not restarts.why_not_again(relations, execution.stages, top):
        mend.append(Way(who="anyone who may run it", how="Run it again.", command=f"gennaker restart {at}"))
    if not restarts.why_not_ignored(relations, execution.stages, top):
        passed = f"gennaker ignore-failure {at}"
        mend.append(Way(who="anyone who may run it", how="Let it count as passed.", command=passed))
    return tuple(mend)


def _expressions(stage: Stage) -> tuple[str, ...]:
    """What could not be evaluated, why, and where; where only Orca's summary is left, what it says."""
    found = [_said_of(one) for one in foreign.mappings(stage.context.get(evaluating.FAILURES))]
    if found:
        return tuple(found[:_SHOWN])
    summary = foreign.mapping(stage.context.get(evaluating.SUMMARY))
    return tuple(f"The expression `{one}` could not be evaluated." for one in list(summary)[:_SHOWN])


def _said_of(failure: JsonObject) -> str:
    text, position = foreign.text_at(failure, "text"), failure.get("position")
    said = foreign.text_at(failure, "message")
    meant = question(foreign.text_at(failure, "code"), foreign.text_at(failure, "nearest"))
    where = placed(position if isinstance(position, int) else -1, foreign.text_at(failure, "part"), text)
    what = "gave nothing" if failure.get("level") == "INFO" else "could not be evaluated"
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    at = foreign.text_at(failure, "pointer")
    return f"The expression `{shown}`{f' at {at}' if at else ''} {what}: {said.rstrip('.')}{where}. {meant}".rstrip()


def _answer(  # noqa: PLR0913, PLR0917 - private: one place where all of them are made
    execution: Execution,
    stage: Stage | None,
    code: str,
    sentence: str,
    chain: tuple[Link, ...],
    *,
    ways: tuple[Way, ...] = (),
    about: str = "",
    notes: tuple[str, ...] = (),
    log: str = "",
    url: str = "",
) -> Answer:
    return Answer(
        code=code,
        sentence=sentence,
        execution_id=execution.head.id,
        stage_id=stage.id if stage else "",
        stage=stage.name if stage else "",
        about=about,
        url=url,
        since=stage.end_time if stage else execution.head.end_time,
        ways=ways,
        chain=chain,
        notes=notes,
        log=log,
    )
