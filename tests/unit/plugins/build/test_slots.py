"""Slots: who may build."""

from gennaker.plugins.build.slots import Queue, entered
from gennaker.plugins.build.workspace import Place

A, B, C = (Place(execution_id=name, stage_id="s", attempt=0) for name in "abc")


def test_who_asks_first_builds_first() -> None:
    queue = Queue()
    for place in (A, B, C, B, A):
        queue = entered(queue, place, limit=1)

    assert queue == Queue(building=(A,), waiting=(B, C))


def test_a_free_slot_goes_to_the_first_in_the_line_only() -> None:
    queue = Queue(building=(), waiting=(B, C))

    assert entered(queue, C, limit=1) == queue
    assert entered(queue, B, limit=1) == Queue(building=(B,), waiting=(C,))


def test_as_many_build_as_the_limit_allows() -> None:
    queue = Queue()
    for place in (A, B, C):
        queue = entered(queue, place, limit=2)

    assert queue == Queue(building=(A, B), waiting=(C,))
