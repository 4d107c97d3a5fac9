"""Universes: 2,000 random pipelines on servers that race, die, stand still and have wrong clocks; every invariant holds.

Each failure names its seed. `make simulate SEED=…` tells the same again; `make simulate-nightly` goes on for millions of
steps with seeds that nobody has seen yet.
"""

import hashlib

import pytest
from tests.simulation.nightly import plan_of
from tests.simulation.universe import Plan, Universe

from gennaker.model import codec

pytestmark = [pytest.mark.slow, pytest.mark.simulation]
UNIVERSES = 400
_IN_ONE_TEST = 20
_PIPELINES = 5


@pytest.mark.parametrize("first", range(0, UNIVERSES, _IN_ONE_TEST))
def test_every_universe_keeps_the_invariants_and_comes_to_its_end(first: int) -> None:
    for number in range(first, first + _IN_ONE_TEST):
        seed = f"ci-{number}"
        universe = Universe(seed, plan_of(seed, pipelines=_PIPELINES))
        try:
            universe.run()
        except BaseException as found:
            found.add_note(f"make simulate SEED={seed}")
            raise


def test_that_is_at_least_two_thousand_pipelines() -> None:
    assert UNIVERSES * _PIPELINES >= 2_000


def test_among_them_is_every_disturbance_and_every_status() -> None:
    happened: set[str] = set()
    statuses: set[str] = set()

    for number in range(12):
        universe = Universe(f"ci-{number}", plan_of(f"ci-{number}", pipelines=_PIPELINES))
        universe.run()
        happened |= set(universe.happened)
        for execution in universe.journal.all_executions():
            statuses.add(execution.head.status.value)
            statuses |= {f"stage {stage.status.value}" for stage in execution.in_order()}

    assert happened == {"command", "repeat", "kill", "stand still", "jump", "lease lost"}
    assert statuses >= {"SUCCEEDED", "TERMINAL", "CANCELED"}
    assert statuses >= {
        f"stage {name}"
        for name in ("SUCCEEDED", "TERMINAL", "CANCELED", "STOPPED", "SKIPPED", "FAILED_CONTINUE", "NOT_STARTED")
    }


@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_seed_tells_the_same_every_time(is_guarded: bool) -> None:
    def digest() -> str:
        universe = Universe("again", Plan(is_guarded=is_guarded))
        universe.run()
        events = [universe.journal.all_events(one.head.id) for one in universe.journal.all_executions()]
        return hashlib.sha256(codec.encode(events)).hexdigest()

    assert digest() == digest()
