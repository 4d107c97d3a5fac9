"""Rolling back a release: one switch to the exact version that it names, or a sentence that says why not."""

from datetime import timedelta

from msgspec.structs import replace
from tests.fakes.rollouts import LOAD_BALANCER, NEW, OLD, FakePlace, deploy, stage
from tests.harness import problem_of

from gennaker.interfaces.clouds import Capacity, Health
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import Share, name_of
from gennaker.model.codec import JsonObject
from gennaker.model.statuses import Status

BLUE, GREEN = "shop-prod-v000", "shop-prod-v001"


def rollback(**keys: object) -> JsonObject:
    own: JsonObject = {"refId": "1", "type": "rollbackRelease", "name": "Roll back", "cluster": "shop-prod"}
    return {"application": "shop", "name": "Roll back", "job": [{**own, **keys}]}  # type: ignore[dict-item]  # plain JSON


def released(grace: str = "P1D") -> FakePlace:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod=grace))
    place.faults.calls.clear()
    return place


def test_one_switch_restores_the_version_that_the_release_replaced() -> None:
    place = released()

    execution = place.run(rollback())

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    switches = [about for operation, about in place.faults.calls if operation == "set_weights"]
    first = switches[0]
    assert isinstance(first, dict)
    assert {name_of(key): share.weight for key, share in first.items() if isinstance(share, Share)} == {
        BLUE: 1,
        GREEN: 0,
    }
    assert place.seen() == {
        "groups": {BLUE: [OLD, 2, 2, False]},
        "traffic": {LOAD_BALANCER: {BLUE: [1, 2]}},
        "releases": [[BLUE, "settled", None], [GREEN, "rolled-back", BLUE]],
        "rollouts": 0,
    }
    done = next(execution.in_order()).outputs["rollback"]
    assert isinstance(done, dict)
    assert done["to"] == {"serverGroup": BLUE, "version": "old"}


def test_it_waits_for_somebody_who_can_say_whether_what_was_replaced_is_up() -> None:
    place = released()
    known = place.group(BLUE)
    unknown = tuple(replace(one, health=Health.UNKNOWN) for one in known.instances)
    place.cloud.groups[BLUE] = replace(known, instances=unknown)

    async def comes_back(services: Services, _: str) -> None:
        await services.clock.sleep_until(services.clock.now() + timedelta(minutes=1))
        assert place.weights() == {GREEN: 1}
        place.cloud.groups[BLUE] = known

    execution = place.run(rollback(), meanwhile=comes_back)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.weights() == {BLUE: 1}


def test_the_switch_comes_at_once() -> None:
    place = released()

    execution = place.harness.run(rollback())

    switched = next(task for task in next(execution.in_order()).tasks if task.name == "switchTraffic")
    assert switched.end_time is not None
    assert switched.end_time - execution.head.build_time < timedelta(seconds=1)


def test_after_the_grace_period_it_says_which_image_to_deploy() -> None:
    place = released(grace="PT0S")

    execution = place.run(rollback())

    assert execution.head.status is Status.TERMINAL
    assert "was decommissioned" in problem_of(execution)
    assert place.weights() == {GREEN: 1}
    exception = next(execution.in_order()).context["exception"]
    assert OLD in str(exception)


def test_a_second_rollback_finds_nothing_and_changes_nothing() -> None:
    place = released()
    place.run(rollback())
    before = place.seen()

    execution = place.run(rollback())

    assert "first release" in problem_of(execution)
    assert place.seen() == before


def test_an_unknown_cluster_is_said_to_have_no_release() -> None:
    execution = released().run(rollback(cluster="shop-nowhere"))

    assert "no release of the cluster shop-nowhere" in problem_of(execution)


def test_where_several_places_match_it_lists_them_and_does_nothing() -> None:
    place = released()
    documents = place.harness.documents("releases")

    async def elsewhere() -> None:
        serving = next(one for one in await documents.list() if one.body["server_group"] == GREEN)
        body = {**serving.body, "id": "rel_2", "region": "remote"}
        await documents.put("shop/local/remote/shop-prod/rel_2", body)

    place.harness.time.run(elsewhere())

    execution = place.run(rollback())

    assert "local/local (new), local/remote (new). Nothing was changed." in problem_of(execution)
    assert place.weights() == {GREEN: 1}


def test_of_another_run_nothing_is_rolled_back() -> None:
    place = released()

    execution = place.run(rollback(execution="somebody-else"))

    assert execution.head.status is Status.SUCCEEDED
    assert place.weights() == {GREEN: 1}


def test_rollback_cluster_restores_size_traffic_and_flags() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D", scaleDown=True, allowScaleDownActive=True))
    assert place.group(BLUE).capacity.desired == 0

    execution = place.run(stage("rollbackCluster", regions=["local"]))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert place.weights() == {BLUE: 1}
    assert (place.group(BLUE).capacity, place.group(BLUE).is_disabled) == (Capacity(min=2, max=2, desired=2), False)
    assert next(execution.top_level()).context["imagesToRestore"] == [
        {"region": "local", "image": OLD, "rollbackMethod": "EXPLICIT"}
    ]
