"""`gennaker evidence`: all that speaks for an execution in one sealed file, and the program that checks it.

Commit and trigger, stages with their outputs (digests, canary verdicts), reports (tests, scans, bills of materials), approvals,
audit records of its effects, and whether those who decided are others than those who changed. The seal is a signature with
the key of the audit heads.
"""

import base64
import inspect
import json
from datetime import datetime
from pathlib import Path

from gennaker.cli import addresses, documents, evidence_verifier, terminal
from gennaker.model import codec, ed25519, foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import mappings, mappings_at, text_at
from gennaker.model.problems import Refused
from gennaker.transport import signing
from gennaker.transport.client import Client

_PAGE = 1000
_LARGEST_BYTES = 5_000_000
"""Of a report that is put into the file; of a larger one its digest is."""
_NOT_FOUND = 404
_IMPORT = "from gennaker.model.ed25519 import is_signed\n"


def collect(client: Client, execution_id: str) -> JsonObject:
    """The content of the file. Raises Refused."""
    execution = foreign.mapping(client.get(addresses.execution(execution_id)))
    reports = mappings(client.listed(f"{addresses.execution(execution_id)}/evidence", "evidence"))
    held = [_report(client, one) for one in reports]
    records = _records(client, f"execution:{execution_id}")
    approvals = _approvals(execution, held, records)
    author = _author(client, text_at(execution, "pipelineConfigId"))
    return {
        "execution": execution,
        "approvals": [*approvals],
        "reports": [*held],
        "audit": [*records],
        "separationOfDuties": duties(
            text_at(execution, "user"), author, approvals, behind=text_at(execution, "behind")
        ),
    }


def duties(starter: str, author: str, approvals: list[JsonObject], *, behind: str = "") -> JsonObject:
    """Whether each who decided is another person than who started the run and who changed the pipeline last.

    `behind`: the person behind a service account that started it.
    """
    findings: list[Json] = []
    for one in approvals:
        for by in dict.fromkeys(_counted(one)):
            acts = (
                (starter, "started the run"),
                (behind, f"is behind the start of the run as {starter}"),
                (author, "changed the pipeline last"),
            )
            did = [what for who, what in acts if who.casefold() == by.casefold()]
            if did:
                findings.append(f"{by} has answered {text_at(one, 'stage')!r}, and {' and '.join(did)}.")
    if not approvals:
        findings.append("Nobody has approved anything.")
    return {
        "startedBy": starter,
        "behind": behind,
        "pipelineChangedBy": author,
        "findings": findings,
        "isSeparated": not findings,
    }


def seal(content: JsonObject, *, seed: bytes, at: datetime) -> JsonObject:
    """The file's document."""
    when = at.isoformat()
    signature = signing.sign(seed, evidence_verifier.sealed(content, when)).hex()
    stamp: JsonObject = {"at": when, "key": signing.public_key(seed).hex(), "signature": signature}
    return {"format": evidence_verifier.FORMAT, "content": content, "seal": stamp}


def write(client: Client, execution_id: str, out: Path, *, seed: bytes, at: datetime) -> int:
    """Writes the file and says what is in it."""
    content = collect(client, execution_id)
    document = seal(content, seed=seed, at=at)
    documents.write(out, (json.dumps(document, indent=1, ensure_ascii=False)).encode())
    reports, records = foreign.items(content["reports"]), foreign.items(content["audit"])
    approvals = mappings_at(content, "approvals")
    terminal.say(
        f"{out}: {len(reports)} reports, {len(approvals)} approvals, {len(records)} audit records, sealed with the key "
        f"{text_at(document['seal'], 'key')}."
    )
    if foreign.mapping(content["execution"]).get("isDryRun") is True:
        terminal.say("  It was a dry run: nothing of it was done.")
    for one in approvals:
        by = " and ".join(_counted(one))
        terminal.say(f"  {text_at(one, 'stage')}: {text_at(one, 'status')} by {by} at {one.get('at')}")
    for finding in foreign.items(foreign.mapping(content["separationOfDuties"]).get("findings")):
        terminal.say(f"  duties not separated: {finding}")
    return 0


def write_verifier(out: Path) -> int:
    """Writes the program that checks such files, all in one."""
    own = inspect.getsource(evidence_verifier)
    arithmetic = inspect.getsource(ed25519)
    documents.write(out, (own.replace(_IMPORT, arithmetic.partition('"""\n\n')[2])).encode())
    terminal.say(f"{out}: run `python {out} FILE PUBLIC_KEY` anywhere.")
    return 0


def _counted(approval: JsonObject) -> list[str]:
    """Whose answers let it go on: of several approvals all of them, else the last one's. Those that didn't count did not."""
    return [text_at(one, "by") for one in mappings_at(approval, "approvals")] or [text_at(approval, "by")]


def _approvals(execution: JsonObject, held: list[JsonObject], records: list[JsonObject]) -> list[JsonObject]:
    entries = [foreign.mapping(codec.decode_json(text_at(one, "entry").encode())) for one in records]
    refused = [one for one in entries if one.get("action") == "judgment.refused"]
    found: list[JsonObject] = []
    for stage in mappings_at(execution, "stages"):
        context = foreign.mapping(stage.get("context"))
        if text_at(stage, "type") != "manualJudgment" or not context.get("judgmentStatus"):
            continue
        found.append(
            {
                "stage": text_at(stage, "name"),
                "by": text_at(stage, "judgedBy"),
                "at": stage.get("judgedAt"),
                "approvals": foreign.mapping(stage.get("outputs")).get("approvals"),
                "refused": [
                    {"by": one.get("actor"), "at": one.get("at"), "why": foreign.mapping(one.get("details")).get("why")}
                    for one in refused
                    if text_at(foreign.mapping(one.get("details")), "stageId") == text_at(stage, "id")
                ],
                "status": context.get("judgmentStatus"),
                "input": context.get("judgmentInput"),
                "roles": context.get("selectedStageRoles"),
                "instructions": context.get("instructions"),
                "seen": [_snapshot(one) for one in held if _is_of(one, text_at(stage, "id"))],
            }
        )
    return found


def _is_of(report: JsonObject, stage_id: str) -> bool:
    return text_at(report, "kind") == "approval" and text_at(report, "stageId") == stage_id and bool(report["content"])


def _snapshot(report: JsonObject) -> Json:
    """What somebody saw who has answered, and in which roles."""
    content = foreign.mapping(codec.decode_json(base64.b64decode(text_at(report, "content"))))
    return {**content, "digest": report.get("digest")}


def _report(client: Client, item: JsonObject) -> JsonObject:
    size = item.get("sizeBytes")
    is_small = isinstance(size, int) and size <= _LARGEST_BYTES
    content = client.content(f"/api/v1/evidence/{text_at(item, 'digest')}") if is_small else None
    return {**item, "content": base64.b64encode(content).decode() if content is not None else None}


def _records(client: Client, subject: str) -> list[JsonObject]:
    """The audit records of a subject, each with its entry as the text that its hash is over."""
    found: list[JsonObject] = []
    after = 0
    while page := mappings_at(client.get("/api/v1/audit", after=str(after), limit=str(_PAGE)), "records"):
        for record in page:
            entry = foreign.mapping(record.get("entry"))
            if text_at(entry, "subject") == subject:
                found.append({**record, "entry": codec.encode_sorted(entry).decode()})
        number = page[-1].get("number")
        assert isinstance(number, int)
        after = number
    return found


def _author(client: Client, pipeline_id: str) -> str:
    """Who changed the pipeline last; nobody, where it isn't stored."""
    if not pipeline_id:
        return ""
    try:
        answer = client.get(f"/api/v1/definitions/pipelines/{pipeline_id}/revisions", limit="1")
    except Refused as refused:
        if refused.status == _NOT_FOUND:
            return ""
        raise
    revisions = mappings_at(answer, "revisions")
    return text_at(revisions[0], "author") if revisions else ""
