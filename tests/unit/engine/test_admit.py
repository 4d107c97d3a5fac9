"""Admit: who of a pipeline's executions runs, who waits, which number is next."""

import pytest
from tests.make import AT

from gennaker.engine import admit
from gennaker.engine.step import QueueStep
from gennaker.model.effect import Deliver
from gennaker.model.event import (
    CancelAsked,
    EnterAsked,
    Event,
    HoldChanged,
    Left,
    NumberAsked,
    NumberReturned,
    Queued,
    Started,
)
from gennaker.model.queue import Queue
from gennaker.model.waiting import ForTurn

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

    step = leave(held(queue, "a"), "b", keep=True)

    assert (step.queue.running, step.queue.held) == (("c",), ("a",))
    assert [one.execution_id for one in step.queue.waiting] == ["d"]
    resumed = admit.admit(step.queue, HoldChanged(at=AT, execution_id="a", is_held=False)).queue
    assert resumed.running == ("c", "a")


def held(queue: Queue, execution_id: str) -> Queue:
    return admit.admit(queue, HoldChanged(at=AT, execution_id=execution_id, is_held=True)).queue


@pytest.mark.parametrize("keep", [False, True])
def test_who_leaves_the_waiting_list_moves_nobody_while_the_first_runs_but_no_longer_stands_before_others(
    *, keep: bool
) -> None:
    step = leave(entered("a", "b", "c", "d"), "c", keep=keep)

    assert step.queue.running == ("a",)
    assert [one.execution_id for one in step.queue.waiting] == ["b", "d"]
    assert list(told(step)) == ["d"]
    event = told(step)["d"]
    assert event.waiting_for.reason == "the running execution of this pipeline to end: a; waiting before it: b"  # type: ignore[union-attr]  # Queued


def test_the_last_one_of_the_waiting_list_leaves_without_a_word() -> None:
    assert told(leave(entered("a", "b", "c"), "c")) == {}


def test_the_only_one_that_waits_leaves_without_a_word_where_a_pause_has_made_room() -> None:
    assert told(leave(held(entered("a", "b"), "a"), "b")) == {}


def test_who_leaves_the_waiting_list_lets_the_next_begin_where_a_pause_has_made_room() -> None:
    step = leave(held(entered("a", "b", "c", "d"), "a"), "b", keep=True)

    assert told(step)["c"] == Started(at=AT)
    assert (step.queue.running, step.queue.held) == (("c",), ("a",))
    assert [one.execution_id for one in step.queue.waiting] == ["d"]


def test_who_leaves_the_waiting_list_lets_the_newest_begin_where_a_pause_has_made_room() -> None:
    step = leave(held(entered("a", "b", "c", "d"), "a"), "b")

    assert {one: type(event) for one, event in told(step).items()} == {"c": CancelAsked, "d": Started}
    assert (step.queue.running, step.queue.held, step.queue.waiting) == (("d",), ("a",), ())


def test_an_end_supersedes_all_but_the_newest_even_if_that_can_not_go_on_yet() -> None:
    queue = entered("a", "b", "c", limit=False, most=2)
    queue = enter(queue, "d", limit=True).queue

    step = leave(queue, "a")

    assert {one: type(event) for one, event in told(step).items()} == {"c": CancelAsked, "d": Queued}
    assert step.queue.running == ("b",)
    assert [one.execution_id for one in step.queue.waiting] == ["d"]


def test_who_was_never_there_leaves_without_a_word() -> None:
    queue = held(entered("a", "b"), "a")

    assert told(leave(queue, "z", keep=True)) == {}


def test_a_paused_execution_does_not_count_as_running() -> None:
    step = enter(held(entered("a"), "a"), "b")

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

    full = admit.admit(Queue(key="cluster:x"), asked).queue

    assert admit.number_of(full, "h") is None
    assert full.numbers == {}


def hold(queue: Queue, execution_id: str, *, is_held: bool = True) -> Queue:
    return admit.admit(queue, HoldChanged(at=AT, execution_id=execution_id, is_held=is_held)).queue


def test_what_waits_is_told_all_about_its_turn() -> None:
    limited, capped = (
        enter(entered("a", "b"), "c"),
        enter(entered("a", "b", limit=False, most=2), "c", limit=False, most=2),
    )

    assert told(limited)["c"].waiting_for == ForTurn(  # type: ignore[union-attr]  # Queued
        reason="the running execution of this pipeline to end: a; waiting before it: b",
        queue="pipeline:deliver",
        running=("a",),
        ahead=("b",),
        at_most=1,
    )
    assert told(capped)["c"].waiting_for == ForTurn(  # type: ignore[union-attr]  # as above
        reason="fewer than 2 executions of this pipeline to run: a, b",
        queue="pipeline:deliver",
        running=("a", "b"),
        at_most=2,
    )


@pytest.mark.parametrize(("count", "named"), [(3, "a, b, c"), (4, "a, b, c and 1 more"), (5, "a, b, c and 2 more")])
def test_a_sentence_names_three_executions_and_counts_the_rest(count: int, named: str) -> None:
    running = entered(*"abcdef"[:count], limit=False)

    event = told(enter(running, "z"))["z"]

    assert event.waiting_for.reason == f"the running execution of this pipeline to end: {named}"  # type: ignore[union-attr]  # Queued


def test_a_cap_of_one_lets_one_run() -> None:
    assert entered("a", "b", limit=False, most=1).running == ("a",)


def test_who_runs_and_enters_again_is_told_to_begin_and_takes_no_second_place() -> None:
    step = enter(entered("a"), "a")

    assert told(step) == {"a": Started(at=AT)}
    assert step.queue.running == ("a",)


def test_who_is_held_and_enters_again_is_no_longer_held() -> None:
    step = enter(hold(hold(entered("a", "b", limit=False), "a"), "b"), "a")

    assert (step.queue.running, step.queue.held) == (("a",), ("b",))


def test_who_waits_and_enters_again_keeps_its_place_and_waits_for_its_turn_where_nobody_runs() -> None:
    held = hold(entered("a", "b"), "a")

    step = enter(held, "b")

    assert step.queue.waiting == held.waiting
    assert told(step)["b"].waiting_for.reason == "its turn"  # type: ignore[union-attr]  # Queued


def test_who_leaves_while_it_is_held_leaves_nobody_else_behind() -> None:
    held = hold(hold(entered("a", "b", limit=False), "a"), "b")

    assert leave(held, "a").queue.held == ("b",)


def test_an_end_lets_nobody_begin_while_another_still_runs() -> None:
    both = hold(enter(enter(hold(entered("a"), "a"), "b").queue, "c").queue, "a", is_held=False)
    assert (both.running, [one.execution_id for one in both.waiting]) == (("b", "a"), ["c"])

    step = leave(both, "a", keep=True)

    assert step.queue.running == ("b",)
    assert type(told(step)["c"]) is Queued


@pytest.mark.parametrize("is_held", [True, False])
def test_holding_who_does_not_run_or_is_not_held_changes_nothing(*, is_held: bool) -> None:
    queue = entered("a", "b")

    held = hold(queue, "b", is_held=is_held)

    assert (held.running, held.held, held.waiting) == (queue.running, queue.held, queue.waiting)
