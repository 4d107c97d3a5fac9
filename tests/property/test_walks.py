"""Walks: the engine under the same random answers and commands every time, quick enough to hunt mutants with."""

from collections.abc import Iterable
from random import Random  # noqa: TID251 - seeded dice

import pytest
from tests.wandering import finish, start, wander

from gennaker.engine import advance, replay
from gennaker.engine.draft import Draft
from gennaker.engine.step import Step
from gennaker.model.effect import PendingEffect
from gennaker.model.event import Submitted


@pytest.mark.parametrize("seed", range(40))
def test_a_walk_keeps_the_invariants_ends_and_replays(seed: int) -> None:
    chance = Random(seed)
    play = start(chance)

    wander(play, chance, 50)
    finish(play, chance)

    play.replayed()


@pytest.mark.parametrize("seed", range(40, 60))
def test_events_of_one_draft_do_what_they_do_in_steps_of_their_own(seed: int) -> None:
    chance = Random(seed)
    play = start(chance)
    wander(play, chance, 50)
    waiting = [*play.events]
    assert isinstance(waiting[0], Submitted)
    execution = replay.accepted(waiting[0].head)

    while waiting:
        events = [waiting.pop(0) for _ in range(min(chance.randint(1, 6), len(waiting)))]
        draft = Draft(execution, at=events[0].at, rules=play.rules)
        steps: list[Step] = []
        for event in events:
            if steps:
                draft.begin(event.at)
            steps.append(advance.advance(execution, event, play.rules))
            execution = steps[-1].execution

            assert advance.apply(draft, event) == steps[-1].ignored
            assert draft.execution() == execution
            assert draft.emitted() == steps[-1].effects

        assert draft.step() == _together(steps)


def _together(steps: Iterable[Step]) -> Step:
    """What a shell would write of them one after the other."""
    changed: dict[str, None] = {}
    removed: dict[str, None] = {}
    effects: dict[str, PendingEffect] = {}
    dropped: dict[str, None] = {}
    for step in steps:
        for one in step.changed:
            changed[one] = removed.pop(one, None)
        for one in step.removed:
            removed[one] = changed.pop(one, None)
        for one in step.dropped:
            dropped[one] = None
            effects.pop(one, None)
        for pending in step.effects:
            dropped.pop(pending.effect.key, None)
            effects[pending.effect.key] = pending
    return Step(
        execution=step.execution,
        changed=tuple(changed),
        removed=tuple(removed),
        effects=tuple(effects.values()),
        dropped=tuple(dropped),
    )
