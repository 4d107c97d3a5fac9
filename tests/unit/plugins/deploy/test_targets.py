"""Which server group a stage means."""

import pytest
from tests.fakes.rollouts import NEW, FakePlace, deploy, stage
from tests.harness import problem_of

from gennaker.model.codec import Json
from gennaker.model.statuses import Status

BLUE, GREEN = "shop-prod-v000", "shop-prod-v001"


@pytest.mark.parametrize(
    ("keys", "gone"),
    [
        ({"target": "current_asg_dynamic"}, GREEN),
        ({"target": "ancestor_asg_dynamic"}, BLUE),
        ({"target": "oldest_asg_dynamic"}, BLUE),
        ({"target": "oldest_asg_dynamic", "serverGroupName": GREEN}, BLUE),
        ({"serverGroupName": GREEN}, GREEN),
        ({"target": "current_asg_dynamic", "cluster": "shop-test", "moniker": {"cluster": "shop-prod"}}, GREEN),
    ],
)
def test_a_target_is_found_by_its_age_or_else_by_its_name(keys: dict[str, Json], gone: str) -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="none"))

    execution = place.run(stage("destroyServerGroup", **keys))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert {BLUE, GREEN} - place.cloud.groups.keys() == {gone}


@pytest.mark.parametrize("target", ["ancestor_asg_dynamic", "oldest_asg_dynamic"])
def test_the_only_server_group_is_neither_the_previous_nor_the_oldest(target: str) -> None:
    place = FakePlace().deployed()

    execution = place.run(stage("destroyServerGroup", target=target))

    assert f"has no {target.partition('_')[0]} server group" in problem_of(execution)
    assert [*place.cloud.groups] == [BLUE]


@pytest.mark.parametrize(
    ("keys", "is_found"),
    [
        ({"moniker": {"app": "shop", "cluster": "shop-test"}}, True),
        ({"moniker": {"app": "cart", "cluster": "shop-test"}, "continueIfClusterNotFound": True}, False),
    ],
)
def test_of_a_whole_cluster_its_name_counts_before_the_monikers_and_the_monikers_application_before_the_names(
    keys: dict[str, Json], is_found: bool
) -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="none"))

    execution = place.run(stage("shrinkCluster", shrinkToSize=1, allowDeleteActive=True, **keys))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [*place.cloud.groups] == ([GREEN] if is_found else [BLUE, GREEN])
