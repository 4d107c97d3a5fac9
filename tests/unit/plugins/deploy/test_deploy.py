"""Deploy: what a stage says beside its clusters."""

from tests.fakes.rollouts import NEW, FakePlace, deploy_stage
from tests.harness import problem_of

from gennaker.model.codec import Json, JsonObject
from gennaker.model.statuses import Status


def test_what_the_stage_says_counts_for_clusters_that_say_nothing() -> None:
    place = FakePlace()
    stage = deploy_stage(NEW)
    cluster = {**stage["clusters"][0]}  # type: ignore[index, call-overload, dict-item]  # a list of maps
    del cluster["capacity"], cluster["account"], cluster["cloudProvider"]
    other: JsonObject = {**cluster, "stack": "test", "capacity": {"desired": 1}, "loadBalancers": []}
    listed: list[Json] = [cluster, other]
    shared: JsonObject = {"account": "local", "cloudProvider": "fake", "capacity": {"desired": 3}, "region": "nowhere"}

    execution = place.run({"application": "shop", "stages": [{**stage, **shared, "clusters": listed}]})

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    sizes = {name: one.capacity.desired for name, one in place.cloud.groups.items()}
    assert sizes == {"shop-prod-v000": 3, "shop-test-v000": 1}
