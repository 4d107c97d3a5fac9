"""Admit: who of a pipeline's executions runs, who waits, which number is next."""

import pytest
from tests.make import AT

from gennaker.engine import admit
from gennaker.engine.step import QueueStep
from gennaker.model.effect import Deliver
from gennaker.model.event import CancelAsked, EnterAsked, Event, HoldChanged, Left, NumberAsked, NumberReturned, Started
from gennaker.model.queue import Queue

EMPTY = Queue(key="pipeline:deliver")


def enter(queue: Queue, execution_id: str, *, limit: bool = True, most: int = 0) -> QueueStep:
    return admit.admit(queue, EnterAsked(at=AT, execution_id=execution_id, limit_concurrent=limit, max_concurrent=most))


def entered(*ids: str, limit: bool = True, most: int = 0) -> Queue:
    queue = EMPTY
    for one in ids:
        queue = enter(queue, one, limit=limit, most=most).queue
    return queue


def leave(queue: Queue, execution_id: str, *, keep: bool = False) -> QueueStep:
    return admit.admit(queue, Left(at=AT, execution_id=execution_id, keep_waiting=keep))


def told(step: QueueStep) -> dict[str, Event]:
    delivered = [one.effect for one in step.effects]
    assert all(isinstance(one, Deliver) for one in delivered)
    return {one.execution_id: one.event for one in delivered if isinstance(one, Deliver)}


def test_the_first_execution_begins_at_once() -> None:
    step = enter(EMPTY, "a")

    assert told(step) == {"a": Started(at=AT)}
    assert step.queue == Queue(key="pipeline:deliver", version=1, running=("a",))


def test_a_limited_pipeline_runs_one_at_a_time_and_says_who_is_ahead() -> None:
    step = enter(entered("a", "b"), "c")

    assert step.queue.running == ("a",)
    assert [one.execution_id for one in step.queue.waiting] == ["b", "c"]
    event = told(step)["c"]
    assert event.waiting_for.reason == "the running execution of this pipeline to end: a; waiting before it: b"  # type: ignore[union-attr]  # Queued


def test_a_cap_lets_so_many_run() -> None:
    queue = entered("a", "b", "c", limit=False, most=2)

    assert queue.running == ("a", "b")
    assert [one.execution_id for one in queue.waiting] == ["c"]


def test_without_limit_and_cap_all_run() -> None:
    assert entered("a", "b", "c", limit=False).running == ("a", "b", "c")


def test_the_newest_goes_on_and_the_others_are_cancelled() -> None:
    step = leave(entered("a", "b", "c", "d"), "a")

    reason = "This execution was queued but then canceled because a newer queued execution superceded it: d"
    cancelled = CancelAsked(at=AT, by="spinnaker", reason=reason)
    assert told(step) == {"b": cancelled, "c": cancelled, "d": Started(at=AT)}
    assert step.queue == Queue(key="pipeline:deliver", version=5, running=("d",))


def test_a_pipeline_that_keeps_its_waiting_executions_goes_on_with_the_oldest() -> None:
    step = leave(entered("a", "b", "c"), "a", keep=True)

    assert told(step)["b"] == Started(at=AT)
    assert step.queue.running == ("b",)
    assert [one.execution_id for one in step.queue.waiting] == ["c"]
    assert told(step)["c"].waiting_for.reason == "the running execution of this pipeline to end: b"  # type: ignore[union-attr]  # Queued


def test_each_end_lets_one_go_on_even_if_a_pause_has_made_room_for_more() -> None:
    queue = entered("a", "b", "c", "d", limit=False, most=2)
    held = admit.admit(queue, HoldChanged(at=AT, execution_id="a", is_held=True)).queue

    step = leave(held, "b", keep=True)

    assert (step.queue.running, step.queue.held) == (("c",), ("a",))
    assert [one.execution_id for one in step.queue.waiting] == ["d"]
    resumed = admit.admit(step.queue, HoldChanged(at=AT, execution_id="a", is_held=False)).queue
    assert resumed.running == ("c", "a")


def test_leaving_the_waiting_list_moves_nobody() -> None:
    step = leave(entered("a", "b", "c"), "b")

    assert told(step) == {}
    assert step.queue.running == ("a",)
    assert [one.execution_id for one in step.queue.waiting] == ["c"]


def test_a_paused_execution_does_not_count_as_running() -> None:
    held = admit.admit(entered("a"), HoldChanged(at=AT, execution_id="a", is_held=True)).queue

    step = enter(held, "b")

    assert step.queue.running == ("b",)
    assert step.queue.held == ("a",)
    resumed = admit.admit(step.queue, HoldChanged(at=AT, execution_id="a", is_held=False)).queue
    assert resumed.running == ("b", "a")


def test_entering_and_leaving_twice_changes_nothing_more() -> None:
    queue = entered("a", "b")

    assert enter(queue, "a").queue.running == queue.running
    assert enter(queue, "b").queue.waiting == queue.waiting
    gone = leave(leave(queue, "a").queue, "a").queue
    assert gone.running == ("b",)


@pytest.mark.parametrize(
    ("taken", "newest", "expected"),
    [
        ((), None, 0),
        ((0,), 0, 1),
        ((3, 7), 3, 4),
        ((3, 4, 5), 3, 6),
        ((998, 999), 999, 0),
        ((999, 0, 1), 999, 2),
        ((4,), None, 1),
    ],
)
def test_the_next_number_follows_the_newest_and_wraps(
    taken: tuple[int, ...], newest: int | None, expected: int
) -> None:
    step = admit.admit(Queue(key="cluster:x"), NumberAsked(at=AT, holder="h", taken=taken, newest=newest))

    assert admit.number_of(step.queue, "h") == expected


def test_a_holder_keeps_its_number_and_others_get_the_next() -> None:
    queue = admit.admit(Queue(key="cluster:x"), NumberAsked(at=AT, holder="h", taken=(5,), newest=5)).queue
    queue = admit.admit(queue, NumberAsked(at=AT, holder="h", taken=(5, 6), newest=6)).queue
    queue = admit.admit(queue, NumberAsked(at=AT, holder="i", taken=(5,), newest=5)).queue

    assert queue.numbers == {"h": 6, "i": 7}
    assert admit.admit(queue, NumberReturned(at=AT, holder="h")).queue.numbers == {"i": 7}


def test_a_full_cluster_gives_no_number() -> None:
    asked = NumberAsked(at=AT, holder="h", taken=tuple(range(1000)), newest=999)

    assert admit.number_of(admit.admit(Queue(key="cluster:x"), asked).queue, "h") is None
