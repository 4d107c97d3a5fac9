"""Judging: what an approver sees is kept before the answer goes to the engine, with its digest (decision 36).

The engine's audit record of the answer has the digest, so that the chain seals it; both are written at once or not at all.
"""

import hashlib

import msgspec

from gennaker.engine import rules
from gennaker.interfaces.evidence import EvidenceItem
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject, decode_json, encode_sorted
from gennaker.model.execution import Execution, Stage
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.web import approval, preconditions, shapes, visible
from gennaker.web.ports import WebPorts
from gennaker.web.preconditions import NO_CONDITIONS, Conditions

KIND = "approval"
"""Of the evidence."""
_JUDGMENT = "manualJudgment"
_UNREADABLE = Problem(
    code="evidence.unreadable",
    message="This snapshot can't be read, so nobody can say whose accounts it tells of: a secret that was masked in it has a mark of JSON.",
    remedy="On the server's machine `gennaker evidence EXECUTION` gives it as it is.",
)
_WITHHELD = "What ran in accounts that you may not read is left out here; the digest is of the whole."


async def seen(
    ports: WebPorts,
    principal: Principal,
    execution: Execution,
    stage: Stage,
    answer: JsonObject,
    *,
    conditions: Conditions = NO_CONDITIONS,
) -> str:
    """Keeps what there is to be seen by who answers a judgment that waits, and returns its digest; of other stages nothing.

    Raises Refused: 412 where the facts are no longer those of the tag in the conditions, 403 where people have to answer.
    """
    if not is_judgment(stage):
        return ""
    await _refuse_programs(ports, principal, stage, answer)
    if stage.status is not Status.RUNNING:
        return ""
    facts = await approval.facts(ports.services, execution, stage)
    conditions.refuse(tag_of(facts), _changed())
    at = ports.services.clock.now()
    snapshot: JsonObject = {
        "by": principal.name,
        "via": principal.via,
        "roles": [*sorted(principal.roles)],
        "at": shapes.instant(at),
        "answer": answer,
        "wasShown": conditions.if_match is not None,
        "facts": facts,
    }
    content = ports.services.secrets.masked_bytes(encode_sorted(snapshot))
    item = EvidenceItem(
        execution_id=execution.head.id,
        stage_id=stage.id,
        name=f"approval-{principal.name}-{at:%Y%m%dT%H%M%S%f}.json",
        kind=KIND,
        media_type="application/json",
        digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
        size_bytes=len(content),
        at=at,
        summary={"by": principal.name, "judgment": answer.get("judgment")},
    )
    await ports.services.evidence.put(item, content)
    return item.digest


async def shown(ports: WebPorts, principal: Principal, execution_id: str, digest: str, content: bytes) -> bytes:
    """A report of an execution; of a snapshot without what ran in accounts that may not be read, which it says then."""
    held = await ports.services.evidence.list(execution_id)
    if not any(one.digest == digest and one.kind == KIND for one in held):
        return content
    try:
        snapshot = foreign.mapping(decode_json(content))
    except msgspec.DecodeError as error:
        raise Refused(_UNREADABLE, status=422) from error
    facts = foreign.mapping(snapshot.get("facts"))
    running = foreign.mappings_at(facts, "running")
    readable = await visible.accounts(ports, principal, running, lambda one: foreign.text_at(one, "account"))
    if len(readable) == len(running):
        return content
    return encode_sorted({**snapshot, "facts": {**facts, "running": list[Json](readable)}, "withheld": _WITHHELD})


async def _refuse_programs(ports: WebPorts, principal: Principal, stage: Stage, answer: JsonObject) -> None:
    """Where several people have to approve, or another one, a service account is none: whoever has its token would be two."""
    required = stage.context.get("requiredApprovals")
    several = isinstance(required, int) and required > 1
    if str(answer.get("judgment")).lower() != "continue":
        return
    if not several and stage.context.get("preventSelfApproval") is not True:
        return
    if await ports.sign_in.identities.any_service_account(principal.name) is not None:
        raise Refused(
            Problem(
                code="judgment.service_account",
                message=f"{stage.name} asks for people's approval, and {principal.name} is a service account.",
                remedy="Approve as yourself, by a browser or with a token of your own.",
            ),
            status=403,
        )


def is_judgment(stage: Stage) -> bool:
    """Under whichever name its type was written."""
    return rules.type_name(stage) == _JUDGMENT


def tag_of(facts: Json) -> str:
    """The entity tag of an approval's facts."""
    return preconditions.of_content(facts)


def _changed() -> Problem:
    return Problem(
        code="precondition.failed",
        message="What the approval is about has changed since it was shown. Nothing was decided.",
        remedy="Look at it again, and decide then.",
    )
