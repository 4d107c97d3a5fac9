"""Executions in the native API: reading and commanding them."""

import re
from typing import Annotated

import msgspec
from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from gennaker.engine import recording, rules, why
from gennaker.interfaces.executions import Found
from gennaker.model import foreign, judgments
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.event import (
    CancelAsked,
    Event,
    IgnoreFailureAsked,
    ManualJudgmentGiven,
    PauseAsked,
    RestartAsked,
    ResumeAsked,
    SkipAsked,
)
from gennaker.model.execution import Execution, Stage
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.web import approval, judging, paging, preconditions, shapes, visible
from gennaker.web.ports import Asking, Ports, WebPorts

Before = Annotated[
    str | None, QueryParameter(max_length=200, description="The last answer's `next`: older executions than this")
]

_GIVEN_ID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")
"""An id that this server has given (a ULID). It says when its execution was, so that it is a cursor after that one is deleted, too."""


class Reason(msgspec.Struct, frozen=True):
    """Why a command is given."""

    reason: str = ""


class Judgment(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a manual judgment."""

    judgment: str
    judgment_input: str = ""
    comment: str = ""


class ExecutionsController(Controller):
    """Routes under /api/v1/executions."""

    path = "/api/v1/executions"

    @get("/")
    async def find(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: paging.Asked,
        application: FromQuery[str | None] = None,
        status: FromQuery[list[Status] | None] = None,
        name: FromQuery[str | None] = None,
        limit: paging.Limit = 20,
        before: Before = None,
    ) -> Response[JsonObject]:
        """Executions, newest first."""
        if before:
            await _refuse_no_cursor(ports, before)
        wanted = Found(application=application, statuses=tuple(status or ()), name=name, limit=limit, before_id=before)
        found = await ports.services.executions.listed(wanted)
        cursor = found[-1].id if len(found) == limit else None
        readable = await visible.listed(ports, principal, found)
        shown = await ports.shown.executions(ports.services.executions, readable, shapes.summary)
        return paging.answer(request, "executions", shown, cursor, parameter="before")

    @get("/{execution_id:str}")
    async def one(self, ports: Ports, principal: Asking, execution_id: FromPath[str]) -> JsonObject:
        """One execution with its stages."""
        return shapes.execution(await existing(ports, execution_id))

    @get("/{execution_id:str}/why")
    async def why(
        self, ports: Ports, principal: Asking, execution_id: FromPath[str], stage: FromQuery[str] = ""
    ) -> Json:
        """What keeps the execution, or one stage of it, from moving on, or has ended it."""
        facts = await ports.services.executions.facts(execution_id)
        return to_json(why.explain(facts, _rules(ports), stage_ref=stage))

    @get("/{execution_id:str}/journal")
    async def journal(self, ports: Ports, principal: Asking, execution_id: FromPath[str]) -> JsonObject:
        """Everything that has happened to the execution, with its state: what `gennaker replay` folds."""
        executions = ports.services.executions
        execution = await existing(ports, execution_id)
        events = await executions.events(execution_id)
        versions = await executions.engine_versions(execution_id)
        return recording.to_json(recording.of(execution, events, rules=_rules(ports), engine_versions=versions))

    @post("/{execution_id:str}/cancel", status_code=200)
    async def cancel(
        self, ports: Ports, principal: Asking, execution_id: FromPath[str], data: JSONBody[Reason]
    ) -> JsonObject:
        """Cancels."""
        event = CancelAsked(at=ports.services.clock.now(), by=principal.name, reason=data.reason)
        return await _tell(ports, principal, execution_id, event)

    @post("/{execution_id:str}/pause", status_code=200)
    async def pause(self, ports: Ports, principal: Asking, execution_id: FromPath[str]) -> JsonObject:
        """Pauses."""
        event = PauseAsked(at=ports.services.clock.now(), by=principal.name)
        return await _tell(ports, principal, execution_id, event)

    @post("/{execution_id:str}/resume", status_code=200)
    async def resume(self, ports: Ports, principal: Asking, execution_id: FromPath[str]) -> JsonObject:
        """Resumes."""
        event = ResumeAsked(at=ports.services.clock.now(), by=principal.name)
        return await _tell(ports, principal, execution_id, event)

    @post("/{execution_id:str}/stages/{stage_id:str}/judgment", status_code=200, dependencies=preconditions.CONDITIONS)
    async def judge(
        self,
        *,
        ports: Ports,
        principal: Asking,
        execution_id: FromPath[str],
        stage_id: FromPath[str],
        data: JSONBody[Judgment],
        conditions: preconditions.Given,
    ) -> JsonObject:
        """Answers a manual judgment; with If-Match, the tag of the approval's facts, only if they are still those that were shown."""
        execution, stage = await waiting_judgment(ports, execution_id, stage_id, data)
        answer: JsonObject = {
            "judgment": data.judgment,
            "judgmentInput": data.judgment_input,
            "comment": data.comment,
        }
        seen = await judging.seen(ports, principal, execution, stage, answer, conditions=conditions)
        event = ManualJudgmentGiven(
            at=ports.services.clock.now(),
            stage_id=stage.id,
            by=principal.name,
            roles=principal.roles,
            judgment=data.judgment,
            judgment_input=data.judgment_input,
            comment=data.comment,
            seen=seen,
        )
        return await _tell(ports, principal, execution_id, event)

    @get("/{execution_id:str}/stages/{stage_id:str}/approval", dependencies=preconditions.CONDITIONS)
    async def approval(
        self,
        ports: Ports,
        principal: Asking,
        execution_id: FromPath[str],
        stage_id: FromPath[str],
        conditions: preconditions.Given,
    ) -> Response[JsonObject]:
        """All that an approver needs to decide; of what runs, what is in accounts that may be read."""
        execution = await existing(ports, execution_id)
        facts = await approval.facts(ports.services, execution, existing_stage(execution, stage_id))
        # Of everything, whoever asks: the answer to the judgment is held against it.
        tag = judging.tag_of(facts)
        running = foreign.mappings_at(facts, "running")
        shown = await visible.accounts(ports, principal, running, lambda one: foreign.text_at(one, "account"))
        return conditions.answer({**facts, "running": list[Json](shown), "etag": tag}, tag)

    @post("/{execution_id:str}/stages/{stage_id:str}/skip", status_code=200)
    async def skip(
        self, ports: Ports, principal: Asking, execution_id: FromPath[str], stage_id: FromPath[str]
    ) -> JsonObject:
        """Skips a stage, or the rest of its wait."""
        stage = existing_stage(await existing(ports, execution_id), stage_id)
        event = SkipAsked(at=ports.services.clock.now(), stage_id=stage.id, by=principal.name)
        return await _tell(ports, principal, execution_id, event)

    @post("/{execution_id:str}/stages/{stage_id:str}/restart", status_code=200)
    async def restart(
        self, ports: Ports, principal: Asking, execution_id: FromPath[str], stage_id: FromPath[str]
    ) -> JsonObject:
        """Restarts a stage and all that follows it."""
        stage = existing_stage(await existing(ports, execution_id), stage_id)
        event = RestartAsked(at=ports.services.clock.now(), stage_id=stage.id, by=principal.name)
        return await _tell(ports, principal, execution_id, event)

    @post("/{execution_id:str}/stages/{stage_id:str}/ignore-failure", status_code=200)
    async def ignore_failure(
        self,
        ports: Ports,
        principal: Asking,
        execution_id: FromPath[str],
        stage_id: FromPath[str],
        data: JSONBody[Reason],
    ) -> JsonObject:
        """Lets a failed stage count as FAILED_CONTINUE."""
        stage = existing_stage(await existing(ports, execution_id), stage_id)
        event = IgnoreFailureAsked(
            at=ports.services.clock.now(), stage_id=stage.id, by=principal.name, reason=data.reason
        )
        return await _tell(ports, principal, execution_id, event)


def _rules(ports: WebPorts) -> rules.Rules:
    types = {id(one): one for one in ports.stage_types.values()}
    return rules.from_stage_types(types.values(), ports.services.settings)


async def _refuse_no_cursor(ports: WebPorts, before: str) -> None:
    """Behind a text that is no execution's there is nothing to be listed, or everything: neither is an answer."""
    if _GIVEN_ID.fullmatch(before) or await ports.services.executions.listed(Found(ids=(before,), limit=1)):
        return
    raise Refused(
        Problem(
            code="execution.no_cursor",
            message=f"`before` names no execution: there is none {before!r}.",
            remedy="Give the `next` of the answer before, or an execution's id.",
        ),
        status=400,
    )


async def existing(ports: WebPorts, execution_id: str) -> Execution:
    """The execution. Raises Refused(404)."""
    found = await ports.services.executions.get(execution_id)
    if found is None:
        raise Refused(Problem(code="execution.unknown", message=f"There is no execution {execution_id}."), status=404)
    return found


def existing_stage(execution: Execution, stage_id: str) -> Stage:
    """A stage by id or refId. Raises Refused(404)."""
    for stage in execution.in_order():
        if stage_id in (stage.id, stage.ref_id):
            return stage
    raise Refused(Problem(code="stage.unknown", message=f"{execution.head.id} has no stage {stage_id!r}."), status=404)


async def waiting_judgment(
    ports: WebPorts, execution_id: str, stage_id: str, given: Judgment
) -> tuple[Execution, Stage]:
    """The execution with its stage, if that is a manual judgment that waits and the answer is one. Raises Refused."""
    execution = await existing(ports, execution_id)
    stage = existing_stage(execution, stage_id)
    if given.judgment not in ("continue", "stop"):
        raise Refused(
            Problem(
                code="judgment.unknown",
                message=f"{given.judgment!r} is no judgment.",
                remedy="Say continue or stop.",
                pointer="/judgment",
            ),
            status=422,
        )
    if not judging.is_judgment(stage) or stage.status is not Status.RUNNING:
        raise Refused(
            Problem(
                code="judgment.not_waiting",
                message=f"{stage.name} does not wait for a judgment: it is {stage.status.value.lower()}.",
            ),
            status=409,
        )
    refuse_unknown_choice(stage, given.judgment_input)
    return execution, stage


def refuse_unknown_choice(stage: Stage, given: Json) -> None:
    """Raises Refused where a manual judgment is answered with a choice that it doesn't offer."""
    problem = judgments.refused(stage.context.get("judgmentInputs"), given)
    if judging.is_judgment(stage) and problem is not None:
        raise Refused(problem, status=422)


async def _tell(ports: WebPorts, principal: Principal, execution_id: str, event: Event) -> JsonObject:
    return shapes.summary(await ports.services.executions.tell(execution_id, event, principal))
