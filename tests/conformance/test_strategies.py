"""Conformance of strategies: whatever goes wrong whenever, the old version serves everything and nothing half-made is left.

Each strategy is run by the real engine over a cloud and load balancers, undisturbed, with faults of the providers at
each step, cancelled and killed at every point.
"""

from contextlib import suppress

import pytest
from tests.fakes.rollouts import CRASHING, LOAD_BALANCER, NEW, SICK, FakePlace, deploy
from tests.harness import TESTER, problem_of, reached
from tests.rollout_faults import FAULTS, MET, NEW_GROUP, OLD_GROUP, STEPS, keys_of

from gennaker.interfaces.services import Services
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import CancelAsked
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status

# A process that is killed leaves coroutines behind that it had not begun.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")

STRATEGIES = ("none", "highlander", "redblack", "rollingredblack")
ALL = (*STRATEGIES, *STEPS)
"""Those of STEPS go the way of rollingredblack: killed at its points, they'd be killed at the same ones."""
BEFORE: JsonObject = {
    "groups": {OLD_GROUP: ["registry/shop@sha256:old", 2, 2, False]},
    "traffic": {LOAD_BALANCER: {OLD_GROUP: [1, 2]}},
    "releases": [[OLD_GROUP, "current", None]],
    "rollouts": 0,
}
REPLACED: JsonObject = {
    "groups": {NEW_GROUP: [NEW, 2, 2, False]},
    "traffic": {LOAD_BALANCER: {NEW_GROUP: [1, 2]}},
    "releases": [[OLD_GROUP, "superseded", None], [NEW_GROUP, "settled", OLD_GROUP]],
    "rollouts": 0,
}
BESIDE: JsonObject = {
    "groups": {OLD_GROUP: ["registry/shop@sha256:old", 2, 2, False], NEW_GROUP: [NEW, 2, 2, False]},
    "traffic": {LOAD_BALANCER: {OLD_GROUP: [1, 2], NEW_GROUP: [1, 2]}},
    "releases": [[OLD_GROUP, "current", None]],
    "rollouts": 0,
}
AFTER: dict[str, JsonObject] = {name: BESIDE if name == "none" else REPLACED for name in ALL}


@pytest.mark.parametrize("strategy", ALL)
def test_undisturbed_the_new_version_takes_its_place(strategy: str) -> None:
    place = FakePlace().deployed()

    execution = place.run(deploy(NEW, **keys_of(strategy)))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.seen() == AFTER[strategy]


@pytest.mark.parametrize("strategy", ALL)
@pytest.mark.parametrize(
    ("image", "keys", "said"),
    [
        (SICK, {}, "GET /healthz answered 500"),
        (CRASHING, {}, "no module named shop"),
        ("registry/shop@sha256:unknown", {}, "no image"),
        (NEW, {"verify": {"httpCheck": {"url": "http://127.0.0.1:9/", "attempts": 2}}}, "webhook-hosts"),
    ],
    ids=["never up", "crash loop", "unknown image", "failed check"],
)
def test_a_version_that_is_no_good_leaves_the_old_one_serving(
    strategy: str, image: str, keys: dict[str, Json], said: str
) -> None:
    place = FakePlace().deployed()

    execution = place.run(deploy(image, **keys_of(strategy), **keys))

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)
    assert place.seen() == BEFORE


@pytest.mark.parametrize(("strategy", "fault"), [(name, fault) for name in ALL for fault in sorted(MET[name])])
def test_a_provider_that_refuses_a_step_leaves_the_old_version_serving(strategy: str, fault: str) -> None:
    place = FakePlace().deployed()
    place.faults.refuse(*FAULTS[fault])

    execution = place.run(deploy(NEW, **keys_of(strategy)))

    assert execution.head.status is Status.TERMINAL
    assert place.faults.failures == [], "the fault was never met"
    assert _without_failed_releases(place.seen()) == BEFORE


def _without_failed_releases(seen: JsonObject) -> JsonObject:
    """A release that was taken back is remembered as such; the old one serves without anything warm beside it."""
    told = seen["releases"]
    assert isinstance(told, list)
    kept: list[Json] = [
        [OLD_GROUP, "current", None] if one == [OLD_GROUP, "settled", None] else one
        for one in told
        if one != [NEW_GROUP, "rolled-back", OLD_GROUP]
    ]
    return {**seen, "releases": kept}


async def cancel(services: Services, execution_id: str) -> None:
    event = CancelAsked(at=services.clock.now(), by="tester", reason="changed my mind")
    with suppress(Refused):  # It may have ended just now.
        await services.executions.tell(execution_id, event, TESTER)
    found = await services.executions.get(execution_id)
    assert found is not None
    assert found.head.status.is_complete


@pytest.mark.parametrize("strategy", ALL)
def test_cancelled_while_instances_come_up_the_old_version_serves(strategy: str) -> None:
    place = FakePlace().deployed()
    grows = strategy == "rollingredblack" or strategy in STEPS
    waits = "waitForCapacityMatch" if grows else "waitForUpInstances"

    async def when_it_waits(services: Services, execution_id: str) -> None:
        kind = "resizeServerGroup" if grows else "createServerGroup"
        await reached(services, execution_id, kind, task=waits)
        await cancel(services, execution_id)

    execution = place.run(deploy(SICK, **keys_of(strategy)), meanwhile=when_it_waits)

    assert execution.head.status is Status.CANCELED
    assert place.seen() == BEFORE


def points_of(strategy: str, image: str) -> list[str]:
    """Every named point that a deploy passes, each once, with its number."""
    place = FakePlace().deployed()
    place.run(deploy(image, strategy=strategy))
    counts: dict[str, int] = {}
    numbered: list[str] = []
    for point in place.harness.probe.seen:
        counts[point] = counts.get(point, 0) + 1
        if counts[point] <= 3:  # Later polls are like the first ones.
            numbered.append(f"{point}#{counts[point]}")
    return numbered


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_killed_anywhere_the_result_is_the_same(strategy: str) -> None:
    points = points_of(strategy, NEW)

    seen = {}
    for point in points:
        place = FakePlace().deployed()
        execution = place.run(deploy(NEW, strategy=strategy), kill_at=(point,))
        seen[point] = (execution.head.status, place.seen())

    assert len(points) > 20
    assert {point: one for point, one in seen.items() if one != (Status.SUCCEEDED, AFTER[strategy])} == {}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_killed_anywhere_while_it_fails_the_old_version_serves(strategy: str) -> None:
    points = points_of(strategy, SICK)

    seen = {}
    for point in points:
        place = FakePlace().deployed()
        execution = place.run(deploy(SICK, strategy=strategy), kill_at=(point,))
        seen[point] = (execution.head.status, place.seen())

    assert {point: one for point, one in seen.items() if one != (Status.TERMINAL, BEFORE)} == {}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_killed_and_cancelled_anywhere_exactly_one_version_serves(strategy: str) -> None:
    """Before the release that is the old one; after it, the new one."""
    points = points_of(strategy, NEW)

    odd = {}
    for point in points:
        place = FakePlace().deployed()
        execution = place.run(deploy(NEW, strategy=strategy), kill_at=(point,), after_kill=cancel)
        expected = [BEFORE, AFTER[strategy]]
        seen = place.seen()
        if seen not in expected or (execution.head.status is Status.SUCCEEDED and seen != AFTER[strategy]):
            odd[point] = (execution.head.status, seen)

    assert odd == {}


def test_cancelled_while_the_old_version_drains_the_released_one_stays() -> None:
    place = FakePlace().deployed()
    address = place.share(OLD_GROUP).addresses[0]
    place.balancers[LOAD_BALANCER].in_flight[address] = 1

    async def when_it_drains(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "shiftTraffic", task="drainReplaced")
        await cancel(services, execution_id)

    execution = place.run(deploy(NEW, strategy="redblack"), meanwhile=when_it_drains)

    assert execution.head.status is Status.CANCELED
    assert place.seen() == REPLACED
