"""Reckoning of the demo: shares, rates and what the visitors' log says."""

import json
from pathlib import Path

import pytest

from gennaker.demo import reckoning
from gennaker.model.codec import JsonObject


@pytest.mark.parametrize(("rate", "percent"), [(600, 10), (1000, 10), (590, 11), (300, 20), (100, 40), (0, 40)])
def test_baseline_and_canary_see_enough_requests(rate: float, percent: float) -> None:
    assert reckoning.share_needed(rate) == percent


def test_a_good_change_that_took_too_long_is_said_with_the_machine_s_load() -> None:
    in_time = reckoning.against_aim(47.2, busy=9, processors=2)
    busy = reckoning.against_aim(83, busy=9.4, processors=2)
    idle = reckoning.against_aim(83, busy=0.8, processors=2)

    assert in_time == "The good change took 47 s from its push to production; it should take 60 s at most."
    assert "took 83 s from its push to production, longer than the 60 s that it should: on average 9 programs" in busy
    assert "the machine wasn't busy (load 0.8, 2 processors)" in idle


def test_a_stage_s_own_times_say_how_long_it_took() -> None:
    ended: JsonObject = {"startTime": "2026-11-28T10:00:00.500Z", "endTime": "2026-11-28T10:00:09Z"}

    assert reckoning.seconds(ended) == 8.5


def test_errors_of_the_load_balancer_and_of_versions_are_told_apart(tmp_path: Path) -> None:
    lines = [
        {"at": 1, "second": {"requests": 600}},
        {"at": 1.2, "error": 503, "version": "", "what": "GET /"},
        {"at": 1.3, "error": 500, "version": "1.2.3-bad", "what": "GET /"},
        {"at": 1.4, "transport_error": "ConnectionResetError", "what": "GET /"},
        {"at": 2, "total": {"requests": 603}, "requests_per_second": 601.5},
    ]
    file = tmp_path / "load.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))

    found = reckoning.load_log(file)

    assert (found.requests, found.requests_per_second) == (603, 601.5)
    assert [line["error"] for line in found.unavailable] == [503]
    assert [line["version"] for line in found.failed] == ["1.2.3-bad"]
    assert len(found.broken) == 1
    assert reckoning.rate_of(file) == 600


def test_a_rollback_may_take_longer_only_where_many_others_want_the_processors() -> None:
    assert [reckoning.rollback_aim(busy=busy, processors=2) for busy in (0.5, 8, 17)] == [1, 1, 10]
