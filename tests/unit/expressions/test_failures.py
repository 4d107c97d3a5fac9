"""Failures: the guess of what was meant, and the form that is kept."""

from gennaker.expressions.failures import Failure, Kind, nearest


def test_the_nearest_name_is_another_case_first_then_a_similar_one_else_none() -> None:
    known = ["imageId", "region", "account"]

    assert [nearest(name, known) for name in ("IMAGEID", "reigon", "zzz", "region")] == ["imageId", "region", "", ""]


def test_a_failure_carries_a_stable_code() -> None:
    failure = Failure(kind=Kind.PARSE, level="ERROR", message="m", text="${", position=0, part="${")

    assert failure.as_json()["code"] == "expression.parse"
