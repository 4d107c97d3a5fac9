"""Tests of normalising.py: what it removes, and that it removes nothing else."""

from pathlib import Path

import pytest
from tests.e2e.normalising import Normaliser, with_known_outcomes, without_counts_of_samples

from gennaker.model.codec import Json

_FIRST, _SECOND = "01M85TECZTB13TTXC72TSE7HRC", "01M85T1FC5D5ZHCP58HMEART95"
_DIGEST = f"sha256:{'0a' * 32}"


def normalised(value: Json) -> Json:
    return Normaliser(Path("/tmp/story")).value(value)


def test_an_id_becomes_the_number_of_its_first_appearance() -> None:
    assert normalised([f"execution:{_FIRST}", _SECOND, _FIRST]) == ["execution:<id 1>", "<id 2>", "<id 1>"]


def test_two_things_that_were_mixed_up_are_still_different() -> None:
    assert normalised({"started": _FIRST, "ended": _FIRST}) != normalised({"started": _FIRST, "ended": _SECOND})


@pytest.mark.parametrize(
    "identity",
    [_FIRST, f"rel_{_FIRST}", "717c345b-2c2f-41cd-b95a-6bd25481ce0e", "job-d798bba272cd818dd067", _DIGEST],
)
def test_ids_of_every_kind_are_numbered(identity: str) -> None:
    assert normalised([identity, identity]) in (["<id 1>", "<id 1>"], ["rel_<id 1>", "rel_<id 1>"])


def test_a_digest_is_one_id_with_and_without_its_prefix() -> None:
    assert normalised([_DIGEST, _DIGEST.removeprefix("sha256:")]) == ["<id 1>", "<id 1>"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"startTime": "2026-11-24T03:47:18.542167Z", "name": "a"}, {"name": "a"}),
        ({"endTime": None}, {}),
        ({"seconds": 1.25, "exitStatus": 0}, {"exitStatus": 0}),
        ({"timestamp": 1795492050746}, {"timestamp": "<time>"}),
        ("from 03:47:31 UTC", "from <time> UTC"),
        ("it took 1.5 s", "it took <time>"),
    ],
)
def test_times_are_removed(value: Json, expected: Json) -> None:
    assert normalised(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://127.0.0.1:23650/healthz", "http://127.0.0.1:<port>/healthz"),
        ({"port": 23650}, {}),
    ],
)
def test_ports_are_removed(value: Json, expected: Json) -> None:
    assert normalised(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"attempts": 3, "passed": 1}, {"passed": 1}),
        ({"repeat": True}, {}),
        ({"version": 142}, {}),
        (f"{_FIRST}/6<1>1<1/3/1.2/4", "<id 1>/6<1>1<1/3/<attempt>"),
        (f"{_FIRST}/notify/pipeline.complete/130/0", "<id 1>/notify/pipeline.complete/<attempt>/0"),
        (f"{_FIRST}/7/notify/manualJudgment/0.1.0/2", "<id 1>/7/notify/manualJudgment/<attempt>/2"),
    ],
)
def test_attempt_counts_are_removed(value: Json, expected: Json) -> None:
    assert normalised(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"status": "SUCCEEDED", "version": "1.2.3-5ff5ba4", "refId": "1<1>2"},
        {"capacity": {"min": 1, "max": 2, "desired": 2}, "trafficPercent": 30.0},
        {"serverGroup": "shop-prod-v001", "score": 100, "passed": True, "replaced": None},
        {"message": "0 of 2 instances are up.", "at": "the end"},
        ["b", "a", {"reports": [{"failed": 0}]}],
    ],
)
def test_everything_else_stays(value: Json) -> None:
    assert normalised(value) == value


def test_the_storys_folder_is_not_part_of_the_result() -> None:
    assert normalised("/tmp/story/data/x") == "<folder>/data/x"


def test_an_unknown_outcome_of_a_notification_is_the_only_one_that_is_overlooked() -> None:
    sent: Json = {"action": "notification.sent", "details": {"outcome": "unknown", "problem": ""}}
    others: list[Json] = [
        {"action": "notification.sent", "details": {"outcome": "failed"}},
        {"action": "effect.performed", "details": {"outcome": "unknown"}},
    ]

    assert with_known_outcomes([sent, *others]) == [
        {"action": "notification.sent", "details": {"outcome": "done", "problem": ""}},
        *others,
    ]


def test_of_lost_samples_only_their_counts_the_warning_and_a_metrics_words_are_overlooked() -> None:
    judged: Json = {
        "metrics": [{"name": "errors", "classification": "Pass", "baselineMean": 0.0}],
        "score": 100,
        "hasWarnings": True,
        "reason": "somebody's own",
    }
    lost = "Samples were lost, perhaps because the server restarted: 50% were observed."
    measured: Json = {
        "metrics": [
            {"name": "errors", "classification": "Pass", "baselineMean": 0.0, "reason": "equal"}
            | {"baselineCount": 3, "canaryCount": 2}
        ],
        "score": 100,
        "hasWarnings": True,
        "samplesLost": lost,
        "warnings": ["Few samples.", lost],
        "reason": "somebody's own",
    }

    assert without_counts_of_samples(measured) == {**judged, "warnings": ["Few samples."]}
