"""Strategies on the cloud provider `kubernetes`, over an API server in memory: whatever a step meets, the old version serves alone."""

import pytest
from tests.fakes.faulty import FaultyCloud, FaultyTraffic
from tests.fakes.kubernetes_world import KubernetesWorld
from tests.fakes.registry import MemoryRegistry
from tests.fakes.rollouts import LOAD_BALANCER, NEW, OLD, PLACE, SICK, FakePlace, deploy
from tests.fakes.traffic import FakeTraffic
from tests.harness import problem_of
from tests.rollout_faults import FAULTS, MET, NEW_GROUP, OLD_GROUP, keys_of
from tests.rollout_kills import KILLED

from gennaker.interfaces.plugins import Plugin
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status

# A process that is killed leaves coroutines behind that it had not begun.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
]

STRATEGIES = ("none", "highlander", "redblack", "rollingredblack", "monitored", "rollingpush")
ALWAYS = {("none", "the switch"), ("monitored", "growing to the end"), ("rollingpush", "shrinking")}
"""Of these one step each is always refused; the others are by `make faults`."""
BEFORE = {"groups": {OLD_GROUP: [OLD, 2, 2, False]}, "traffic": {OLD_GROUP: [1, 2]}, "rollouts": 0}


class KubernetesPlace(FakePlace):
    """An installation that deploys ReplicaSets."""

    def _plugin(self) -> Plugin:
        self.world = KubernetesWorld(PLACE, OLD, MemoryRegistry())
        return Plugin(
            name="kubernetes",
            clouds=(lambda services: FaultyCloud(self.world.provider(), self.faults, services.clock, self._begun),),
            traffic=(lambda _: FaultyTraffic(FakeTraffic(self.balancers, self.routing), self.faults),),
        )

    def there(self) -> JsonObject:
        """Server groups with image and size, who gets traffic, and rollouts that aren't over."""

        async def look() -> None:
            described = await self.world.provider().describe("shop")
            self.cloud.groups = {one.name: one for one in described}

        self.harness.time.run(look())
        seen = self.seen()
        traffic: Json = seen["traffic"]
        assert isinstance(traffic, dict)
        return {"groups": seen["groups"], "traffic": traffic[LOAD_BALANCER], "rollouts": seen["rollouts"]}

    def deploys(self, image: str, strategy: str, *, kill_at: tuple[str, ...] = ()) -> Execution:
        """To its end."""
        return self.run(deploy(image, **keys_of(strategy), cloudProvider="kubernetes"), kill_at=kill_at)


def place() -> KubernetesPlace:
    made = KubernetesPlace()
    made.deployed(cloudProvider="kubernetes")
    assert made.there() == BEFORE
    return made


@pytest.mark.parametrize(
    ("strategy", "fault"),
    [
        pytest.param(name, fault, marks=[] if (name, fault) in ALWAYS else [pytest.mark.thorough])
        for name in STRATEGIES
        for fault in sorted(MET[name])
    ],
)
def test_a_step_that_is_refused_leaves_the_old_version_serving(strategy: str, fault: str) -> None:
    here = place()
    here.faults.refuse(*FAULTS[fault])

    execution = here.deploys(NEW, strategy)

    assert execution.head.status is Status.TERMINAL
    assert here.faults.failures == [], "the fault was never met"
    assert here.there() == BEFORE


@pytest.mark.thorough
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_version_that_never_comes_up_leaves_the_old_one_serving(strategy: str) -> None:
    here = place()

    execution = here.deploys(SICK, strategy)

    assert execution.head.status is Status.TERMINAL
    assert here.there() == BEFORE


@pytest.mark.parametrize(
    "strategy",
    [pytest.param(name, marks=[] if name == "rollingpush" else [pytest.mark.thorough]) for name in STRATEGIES],
)
def test_killed_again_and_again_the_new_version_serves(strategy: str) -> None:
    here = place()

    execution = here.deploys(NEW, strategy, kill_at=KILLED[strategy])

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    both = {OLD_GROUP: [1, 2], NEW_GROUP: [1, 2]}
    new = {NEW_GROUP: [NEW, 2, 2, False]}
    groups = {**BEFORE["groups"], **new} if strategy == "none" else new  # type: ignore[dict-item]  # a map
    traffic = both if strategy == "none" else {NEW_GROUP: [1, 2]}
    assert here.there() == {"groups": groups, "traffic": traffic, "rollouts": 0}
