"""Waits: no kind without a reason, and since when."""

from typing import get_args

import msgspec
import pytest
from tests import make

from gennaker.model import codec, waiting
from gennaker.model.problems import Problem

KINDS = get_args(waiting.Waiting)
LATER = make.AT + make.seconds(60)


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_wait_can_be_made_without_a_reason(kind: type[msgspec.Struct]) -> None:
    reason = next(field for field in msgspec.structs.fields(kind) if field.name == "reason")

    assert reason.required


def test_a_wait_reads_back_from_json_as_its_kind() -> None:
    wait = waiting.ForObject(reason="it to be up", kind="server-group", name="shop-v001", observed="0 of 1")

    assert codec.decode(codec.encode(wait), waiting.Waiting) == wait  # type: ignore[arg-type]  # a union


def test_a_wait_for_the_same_thing_keeps_its_beginning_whatever_is_seen_meanwhile() -> None:
    first = waiting.begun(waiting.ForObject(reason="0 of 2", kind="job", name="j1", observed="Starting"), None, make.AT)
    again = waiting.ForObject(reason="1 of 2", kind="job", name="j1", observed="Up")

    assert waiting.begun(again, first, LATER).since == make.AT


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (waiting.ForObject(reason="a", kind="job", name="j1"), waiting.ForObject(reason="a", kind="job", name="j2")),
        (waiting.ForLock(reason="a", lock="x"), waiting.ForLock(reason="a", lock="y")),
        (waiting.ForTurn(reason="a", queue="x"), waiting.ForTurn(reason="a", queue="y")),
        (waiting.ForExecution(reason="a", execution_id="x"), waiting.ForExecution(reason="a", execution_id="y")),
        (waiting.ForArtifact(reason="a", name="x"), waiting.ForArtifact(reason="a", name="y")),
        (waiting.ForTime(reason="a", until=make.AT), waiting.ForTime(reason="a", until=LATER)),
        (waiting.ForWork(reason="a", what="plan"), waiting.ForWork(reason="a", what="run")),
        (waiting.ForOther(reason="a"), waiting.ForOther(reason="b")),
        (waiting.ForWork(reason="a", what="run"), waiting.ForJudgment(reason="a")),
    ],
)
def test_a_wait_for_something_else_begins_anew(before: waiting.Waiting, now: waiting.Waiting) -> None:
    begun = waiting.begun(before, None, make.AT)

    assert waiting.begun(now, begun, LATER).since == LATER


def test_retries_of_one_failure_are_one_wait() -> None:
    problem = Problem(code="test", message="Nobody answers.")
    first = waiting.begun(waiting.ForRetry(reason="another try", problem=problem, attempt=2), None, make.AT)

    assert waiting.begun(waiting.ForRetry(reason="another", problem=problem, attempt=3), first, LATER).since == make.AT
