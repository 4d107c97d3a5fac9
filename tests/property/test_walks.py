"""Walks: the engine under the same random answers and commands every time, quick enough to hunt mutants with."""

from random import Random  # noqa: TID251 - seeded dice

import pytest
from tests.wandering import finish, start, wander


@pytest.mark.parametrize("seed", range(40))
def test_a_walk_keeps_the_invariants_ends_and_replays(seed: int) -> None:
    chance = Random(seed)
    play = start(chance)

    wander(play, chance, 50)
    finish(play, chance)

    play.replayed()
