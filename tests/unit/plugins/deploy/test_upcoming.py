"""Instances that come up: how long they, and room for them, are waited for."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.fakes.rollouts import NEW, SICK, FakePlace, deploy
from tests.harness import problem_of

from gennaker.interfaces.clouds import Health, ServerGroup
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import TaskContext
from gennaker.model.codec import Json
from gennaker.model.event import Again, Failed
from gennaker.model.foreign import mappings
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import server_groups, upcoming

LATE, OVER = "shop-prod-v001 isn't up after 360 s", "Stage Deploy timed out after 11 minutes"
LONG: dict[str, Json] = {"stageTimeoutMs": 11 * 60_000}


@pytest.mark.parametrize(
    ("keys", "of_stage", "minutes", "said"),
    [
        ({}, {}, 5, "shop-prod-v001 finds no room: 0 of 2 instances are up"),
        ({"upTimeout": "PT6M"}, {}, 6, LATE),
        ({"strategy": "rollingredblack", "upTimeout": "PT6M"}, {}, 6, LATE),
        ({"upTimeout": "PT6M"}, LONG, 6, LATE),
        ({}, LONG, 11, OVER),
        ({"strategy": "rollingredblack"}, LONG, 11, OVER),
        ({}, {"stageTimeoutMs": 6 * 60_000}, 6, "Stage Deploy timed out after 6 minutes"),
    ],
)
def test_room_is_waited_for_as_long_as_the_stage_says(
    keys: dict[str, Json], of_stage: dict[str, Json], minutes: int, said: str
) -> None:
    place = FakePlace().deployed()
    place.faults.has_no_room, place.faults.fails_after = True, timedelta(minutes=5)

    pipeline = deploy(SICK, **{"strategy": "redblack", **keys})
    [stage] = mappings(pipeline["stages"])
    stage |= of_stage
    if "upTimeout" not in keys:
        [cluster] = mappings(stage["clusters"])
        del cluster["upTimeout"]

    execution = place.run(pipeline)

    assert said in problem_of(execution)
    assert "0/3 nodes" in problem_of(execution)
    assert ("upTimeout" in problem_of(execution)) == (not keys and not of_stage)
    assert execution.head.end_time is not None
    assert execution.head.start_time is not None
    assert round((execution.head.end_time - execution.head.start_time).total_seconds() / 60) == minutes


@pytest.mark.parametrize(("health", "is_hopeless"), [(Health.UP, False), (Health.UNKNOWN, False), (Health.DOWN, True)])
def test_one_that_was_restarted_often_is_hopeless_only_where_it_is_known_not_to_be_up(
    health: Health, *, is_hopeless: bool
) -> None:
    place = FakePlace().deployed()
    group = place.group("shop-prod-v000")
    instances = tuple(replace(one, restarts=3, health=health) for one in group.instances)

    found = server_groups.hopeless(replace(group, instances=instances), group.created_at, says_how_long=False)

    assert (found is not None) == is_hopeless


def test_traffic_waits_for_somebody_who_can_say_whether_what_was_up_still_is(monkeypatch: pytest.MonkeyPatch) -> None:
    place = FakePlace().deployed()
    real, name = upcoming.wait, "shop-prod-v001"
    known: list[ServerGroup] = []

    async def wait(context: TaskContext, group: ServerGroup, required: int) -> Again | Failed | None:
        found = await real(context, group, required)
        if found is None and not known:
            known.append(place.group(name))
            unknown = tuple(replace(one, health=Health.UNKNOWN) for one in group.instances)
            place.cloud.groups[name] = replace(place.group(name), instances=unknown)
        return found

    async def comes_back(services: Services, _: str) -> None:
        while not known:
            await services.clock.sleep_until(services.clock.now() + timedelta(seconds=1))
        await services.clock.sleep_until(services.clock.now() + timedelta(seconds=30))
        assert place.weights() == {"shop-prod-v000": 1}
        place.cloud.groups[name] = known[0]

    monkeypatch.setattr(upcoming, "wait", wait)

    execution = place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"), meanwhile=comes_back)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.weights() == {name: 1}
