"""The engine under random pipelines, outcomes and commands: the invariants hold after every event, every run ends."""

from random import Random  # noqa: TID251 - the type of what hypothesis hands out

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.wandering import finish, start, wander

from gennaker.engine import advance


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.randoms(use_true_random=False), st.integers(0, 60))
def test_every_run_keeps_the_invariants_ends_and_replays(chance: Random, steps: int) -> None:
    play = start(chance)

    wander(play, chance, steps)
    finish(play, chance)

    play.replayed()


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.randoms(use_true_random=False))
def test_any_event_in_any_state_gives_a_step(chance: Random) -> None:
    one, other = start(chance), start(chance)
    wander(one, chance, 25)
    wander(other, chance, 25)

    for event in other.events:
        step = advance.advance(one.execution, event, one.rules)
        assert step.execution.head.version == one.execution.head.version + 1
