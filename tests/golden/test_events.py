"""The golden cases of events: trigger matching, constraints, webhooks of source-code hosts, artifacts."""

import json
from pathlib import Path
from typing import Any

import pytest

from gennaker.engine import validation
from gennaker.model.artifact_matching import matches, read, read_expected
from gennaker.model.codec import to_json
from gennaker.model.problems import Refused
from gennaker.triggers import constraints, matching, scm, webhook_artifacts

CASES: dict[str, Any] = json.loads((Path(__file__).parent / "events.json").read_text())
LATER = {"helm-4": "version ranges of Helm charts are not matched yet"}
"""Cases of what isn't built yet; the list may only shrink."""


def cases(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in CASES[kind]]


def facts(case: dict[str, Any]) -> matching.EventFacts:
    event = case["event"]
    details = event["details"]
    return matching.EventFacts(
        type=details["type"],
        source=details.get("source") or "",
        content=event["content"],
        payload=event.get("payload") or {},
        raw=event.get("rawContent", "").encode(),
        headers={name.lower(): values for name, values in (details.get("requestHeaders") or {}).items()},
        attributes=details.get("attributes") or {},
        event_id=event.get("eventId", ""),
    )


@pytest.mark.parametrize("case", [p for p in cases("trigger_matching") if p.id not in LATER])
def test_triggers_fire_as_in_spinnaker(case: dict[str, Any]) -> None:
    secret = case.get("config", {}).get("trigger.git.shared-secret", "")

    found = matching.match(facts(case), [case["pipeline"]], shared_secret=secret).found

    expect = case["expect"]
    assert bool(found) == expect["triggered"]
    if found:
        trigger = found[0].trigger
        told = {key: trigger.get(key) for key in expect.get("trigger_fields", {})}
        assert told == expect.get("trigger_fields", {})
        assert len(found) == expect.get("executions", 1)
        if "received_artifacts" in expect:
            assert [to_json(artifact) for artifact in found[0].artifacts] == expect["received_artifacts"]


@pytest.mark.parametrize("case", cases("trigger_matching"))
def test_every_pipeline_of_a_case_can_be_saved(case: dict[str, Any]) -> None:
    assert validation.validate(case["pipeline"], {}).problems == ()


@pytest.mark.parametrize("case_id", sorted(LATER))
def test_what_is_listed_as_not_built_is_not_built(case_id: str) -> None:
    case = next(case for case in CASES["trigger_matching"] if case["id"] == case_id)

    found = matching.match(facts(case), [case["pipeline"]]).found

    assert bool(found) != case["expect"]["triggered"], f"{case_id} works now: take it off the list"


@pytest.mark.parametrize("case", cases("webhook_constraints"))
def test_constraints_hold_as_in_spinnaker(case: dict[str, Any]) -> None:
    hold = constraints.hold_flat if case["mode"] == "flat" else constraints.hold

    assert hold(case["constraints"], case["payload"]) == case["matches"]


@pytest.mark.parametrize("case", [p for p in cases("scm_webhooks") if "/git/" in p.values[0]["request"]["path"]])
def test_webhooks_of_source_code_hosts_are_brought_into_one_form(case: dict[str, Any]) -> None:
    request, expect = case["request"], case["expect"]
    source = request["path"].rsplit("/", 1)[1]
    headers = {name.lower(): [value] for name, value in request["headers"].items()}
    body = json.loads(request["raw_body"])

    if expect.get("error"):
        with pytest.raises(Refused):
            scm.normalise(source, body, headers)
        return
    content = scm.normalise(source, body, headers)

    assert (content is not None) == expect["event_processed"]
    if content is not None:
        assert {key: content.get(key) for key in expect["content"]} == expect["content"]


@pytest.mark.parametrize("case", cases("webhook_artifacts"))
def test_well_known_webhooks_carry_artifacts(case: dict[str, Any]) -> None:
    found = webhook_artifacts.extract(case["type"], case["webhook_source"], case["payload"])

    assert [to_json(read(artifact)) for artifact in found] == case["artifacts"]


@pytest.mark.parametrize("case", cases("artifact_matching"))
def test_artifacts_match_as_in_spinnaker(case: dict[str, Any]) -> None:
    expected = read_expected(case["expected"])

    assert matches(expected.match_artifact, read(case["artifact"])) == case["matches"]
