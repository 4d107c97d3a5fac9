"""`gennaker evidence`: what is collected, that the seal shows every change, and that the verifier needs nothing."""

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import api_server
from tests.fakes.api_server import ApiServer

from gennaker.cli import evidence, evidence_verifier
from gennaker.model import codec
from gennaker.model.problems import Refused
from gennaker.store import audit_head, chain
from gennaker.transport import signing
from gennaker.transport.client import Client

SEED = b"k" * 32
KEY = signing.public_key(SEED).hex()
AT = datetime(2026, 11, 28, tzinfo=UTC)
REPORT = b"<testsuite tests='3'/>"
DIGEST = f"sha256:{hashlib.sha256(REPORT).hexdigest()}"
EXECUTION: dict[str, Any] = {
    "id": "e1",
    "user": "ada",
    "pipelineConfigId": "p1",
    "stages": [
        {
            "type": "manualJudgment",
            "name": "Approve",
            "judgedBy": "ben",
            "judgedAt": "2026-11-28T10:00:00Z",
            "context": {"judgmentStatus": "continue"},
        },
        {"type": "manualJudgment", "name": "Never asked", "context": {}},
    ],
}


def records() -> list[dict[str, Any]]:
    entries = [{"subject": subject, "action": "a", "at": 1.5} for subject in ("execution:e1", "execution:e2")]
    rows = chain.following(0, audit_head.NO_HASH, [codec.encode_sorted(one).decode() for one in entries])
    return [
        {"number": number, "previous": previous, "hash": its_hash, "entry": entry}
        for (number, previous, its_hash, _), entry in zip(rows, entries, strict=True)
    ]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    with api_server.running(tmp_path / "data") as found:
        found.will("GET /api/v1/executions/e1", EXECUTION)
        found.will(
            "GET /api/v1/executions/e1/evidence",
            {
                "evidence": [
                    {"name": "tests", "digest": DIGEST, "sizeBytes": len(REPORT)},
                    {"name": "huge", "digest": "sha256:0", "sizeBytes": 10**9},
                ]
            },
        )
        found.will(f"GET /api/v1/evidence/{DIGEST}", REPORT)
        found.will("GET /api/v1/audit?after=0&limit=1000", {"records": records()})
        found.will("GET /api/v1/audit?after=2&limit=1000", {"records": []})
        found.will("GET /api/v1/definitions/pipelines/p1/revisions?limit=1", {"revisions": [{"author": "eve"}]})
        yield found


@pytest.fixture
def client(api: ApiServer, tmp_path: Path) -> Iterator[Client]:
    with closing(Client(tmp_path / "data")) as found:
        assert found.address == api.address
        yield found


@pytest.fixture
def document(client: Client) -> Any:
    sealed = evidence.seal(evidence.collect(client, "e1"), seed=SEED, at=AT)
    return json.loads(json.dumps(sealed))


def test_all_that_speaks_for_an_execution_is_collected(document: Any) -> None:
    content = document["content"]

    assert content["execution"] == EXECUTION
    assert [(one["stage"], one["by"], one["status"]) for one in content["approvals"]] == [
        ("Approve", "ben", "continue")
    ]
    assert [one["content"] and base64.b64decode(one["content"]) for one in content["reports"]] == [REPORT, None]
    assert [one["number"] for one in content["audit"]] == [1]
    assert content["separationOfDuties"] == {
        "startedBy": "ada",
        "behind": "",
        "pipelineChangedBy": "eve",
        "findings": [],
        "isSeparated": True,
    }
    assert evidence_verifier.wrongs(document, KEY) == []


def change_title(document: Any) -> None:
    document["content"]["approvals"][0]["by"] = "mallory"


def change_report(document: Any) -> None:
    document["content"]["reports"][0]["content"] = base64.b64encode(b"<testsuite/>").decode()


def change_record(document: Any) -> None:
    document["content"]["audit"][0]["entry"] = "{}"


def change_time(document: Any) -> None:
    document["seal"]["at"] = "2020-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("change", "count"), [(change_title, 1), (change_report, 2), (change_record, 2), (change_time, 1)]
)
def test_what_was_changed_afterwards_is_found(document: Any, change: Callable[[Any], None], count: int) -> None:
    change(document)

    assert len(evidence_verifier.wrongs(document, KEY)) == count


def test_a_seal_of_somebody_else_is_none(document: Any) -> None:
    assert evidence_verifier.wrongs(document, signing.public_key(b"x" * 32).hex())
    assert evidence_verifier.wrongs(document, "no key")
    assert evidence_verifier.wrongs([], KEY)


def test_who_approves_what_is_their_own_is_named() -> None:
    approvals = [{"stage": "Approve", "by": "ada"}, {"stage": "Check", "by": "ben"}]

    found = evidence.duties("ada", "ada", approvals)

    assert found["findings"] == ["ada has answered 'Approve', and started the run and changed the pipeline last."]
    assert found["isSeparated"] is False
    by_robot = evidence.duties("robot", "", [{"stage": "Approve", "by": "Ada"}], behind="ada")
    assert by_robot["findings"] == ["Ada has answered 'Approve', and is behind the start of the run as robot."]
    assert evidence.duties("ada", "", [])["findings"] == ["Nobody has approved anything."]


def test_of_several_approvals_those_count_that_let_it_go_on() -> None:
    several = {"stage": "Approve", "by": "eve", "approvals": [{"by": "bob"}, {"by": "eve"}], "seen": [{"by": "ada"}]}

    assert evidence.duties("ada", "ada", [several])["isSeparated"] is True, "hers was refused"
    assert evidence.duties("bob", "", [several])["findings"] == ["bob has answered 'Approve', and started the run."]


def test_a_pipeline_that_is_not_stored_has_no_author(api: ApiServer, client: Client) -> None:
    del api.answers["GET /api/v1/definitions/pipelines/p1/revisions?limit=1"]

    content: Any = evidence.collect(client, "e1")

    assert content["separationOfDuties"]["pipelineChangedBy"] == ""


def test_the_verifier_is_one_file_that_needs_nothing(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, verifier = tmp_path / "e1.json", tmp_path / "verify.py"
    assert evidence.write(client, "e1", file, seed=SEED, at=AT) == 0
    assert evidence.write_verifier(verifier) == 0
    assert "2 reports, 1 approvals, 1 audit records" in capsys.readouterr().out

    done = subprocess.run(
        [sys.executable, "-I", "-S", verifier, file, KEY], capture_output=True, text=True, check=False, timeout=600
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "e1 is as it was sealed at 2026-11-28T00:00:00+00:00: 2 reports, 1 audit records.\n"


def test_evidence_of_a_dry_run_says_so(
    api: ApiServer, client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.will("GET /api/v1/executions/e1", {**EXECUTION, "isDryRun": True})

    evidence.write(client, "e1", tmp_path / "e.json", seed=SEED, at=AT)

    assert "nothing of it was done" in capsys.readouterr().out


def test_a_file_that_programs_may_read_differently_is_refused(
    document: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "e.json"
    sealed = json.dumps(document)
    file.write_text(sealed)
    assert evidence_verifier.main([str(file), KEY]) == 0
    file.write_text(sealed.replace('{"format"', '{"content": {"approvals": []}, "format"', 1))

    assert evidence_verifier.main([str(file), KEY]) == 1
    assert "stands in it twice" in capsys.readouterr().out


def test_the_verifier_says_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_text("{")

    assert evidence_verifier.main([str(tmp_path / "x"), KEY]) == 1
    assert "can't be read" in capsys.readouterr().out
    assert evidence_verifier.main([]) == 2


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="can't be written: Is a directory"):
        evidence.write_verifier(tmp_path)


SEEN = codec.encode_sorted({"by": "cora", "roles": ["ops"], "wasShown": True, "facts": {"version": "1.2.3"}})
SEEN_DIGEST = f"sha256:{hashlib.sha256(SEEN).hexdigest()}"


@pytest.fixture
def seen(api: ApiServer, client: Client) -> Any:
    """The document of an execution of whose approval a snapshot was kept."""
    judgment = {**EXECUTION["stages"][0], "id": "s1", "outputs": {"approvals": [{"by": "cora"}, {"by": "ben"}]}}
    namesake = {**EXECUTION["stages"][0], "id": "s2"}
    api.will("GET /api/v1/executions/e1", {**EXECUTION, "user": "cora", "stages": [judgment, namesake]})
    item = {"name": "a", "kind": "approval", "stageId": "s1", "digest": SEEN_DIGEST, "sizeBytes": len(SEEN)}
    api.will("GET /api/v1/executions/e1/evidence", {"evidence": [item], "next": None})
    api.will(f"GET /api/v1/evidence/{SEEN_DIGEST}", SEEN)
    entry = {"subject": "execution:e1", "action": "command.ManualJudgmentGiven", "details": {"seen": SEEN_DIGEST}}
    why = {"stage": "Approve", "stageId": "s1", "why": "It waits for somebody else than eve."}
    refused = {"subject": "execution:e1", "actor": "eve", "action": "judgment.refused", "at": "2026", "details": why}
    rows = chain.following(0, audit_head.NO_HASH, [codec.encode_sorted(one).decode() for one in (entry, refused)])
    found = [
        {"number": number, "previous": previous, "hash": its_hash, "entry": one}
        for (number, previous, its_hash, _), one in zip(rows, (entry, refused), strict=True)
    ]
    api.will("GET /api/v1/audit?after=0&limit=1000", {"records": found})
    api.will("GET /api/v1/audit?after=2&limit=1000", {"records": []})
    return json.loads(json.dumps(evidence.seal(evidence.collect(client, "e1"), seed=SEED, at=AT)))


def test_what_approvers_saw_stands_with_their_approvals(seen: Any) -> None:
    [approval, namesake] = seen["content"]["approvals"]

    assert approval["seen"] == [{**json.loads(SEEN), "digest": SEEN_DIGEST}]
    assert seen["content"]["separationOfDuties"]["findings"] == ["cora has answered 'Approve', and started the run."]
    assert approval["refused"] == [{"by": "eve", "at": "2026", "why": "It waits for somebody else than eve."}]
    assert (namesake["stage"], namesake["refused"], namesake["seen"]) == ("Approve", [], [])
    assert evidence_verifier.wrongs(seen, KEY) == []


@pytest.mark.parametrize(("what", "wrong"), [("seen", "isn't the report"), ("audit", "No audit record names")])
def test_a_snapshot_that_is_not_the_recorded_one_is_found(seen: Any, what: str, wrong: str) -> None:
    content = seen["content"]
    if what == "seen":
        content["approvals"][0]["seen"][0]["facts"]["version"] = "1.2.4"
    else:
        content["audit"] = []
    sealed_anew = evidence.seal(content, seed=SEED, at=AT)

    assert [wrong in one for one in evidence_verifier.wrongs(sealed_anew, KEY)] == [True]
