"""What a plan says of server groups: each stage told over what the stages before it have made of them."""

from typing import Any

import pytest

from gennaker.cli.foreseen import Foreseen

PLACE = {"credentials": "local", "region": "here"}


def group(number: int, *, is_disabled: bool = False) -> dict[str, Any]:
    return {
        "name": f"shop-prod-v{number:03}",
        "account": "local",
        "region": "here",
        "cluster": "shop-prod",
        "createdTime": 1000 + number,
        "isDisabled": is_disabled,
        "capacity": {"desired": 2},
    }


def stage(kind: str, *, parent: str | None = None, **context: Any) -> dict[str, Any]:
    return {"id": kind, "refId": kind, "type": kind, "parentId": parent, "context": {**PLACE, **context}}


def said(stages: list[dict[str, Any]], *groups: dict[str, Any]) -> list[str]:
    changes = Foreseen(groups).told(stages)
    assert all(change.cluster == "shop-prod (local/here)" for change in changes)
    return [change.sentence for change in changes]


CREATE = stage("createServerGroup", application="shop", stack="prod", imageId="shop:2", capacity={"desired": 3})
SWITCH = stage("shiftTraffic", parent="createServerGroup", mode="switch", percent=100)
SHRINK = stage("shrinkCluster", parent="createServerGroup", shrinkToSize=2)


def test_a_red_black_deployment_is_told_to_its_end() -> None:
    assert said([CREATE, SWITCH, SHRINK], group(2), group(1, is_disabled=True)) == [
        "A server group of 3 instances is created from shop:2.",
        "the new server group gets all traffic; shop-prod-v002 gets none any more.",
        "shop-prod-v001 is destroyed.",
    ]


def test_what_is_in_traffic_is_not_shrunk_away() -> None:
    assert said([stage("shrinkCluster", cluster="shop-prod", shrinkToSize=1)], group(1), group(2)) == [
        "Nothing is old enough to be destroyed."
    ]


def test_a_part_of_the_traffic_is_a_percentage() -> None:
    assert said([CREATE, stage("shiftTraffic", parent="createServerGroup", mode="share", percent=10)])[1:] == [
        "the new server group gets 10 % of the traffic."
    ]


@pytest.mark.parametrize(
    ("kind", "context", "sentence"),
    [
        ("resizeServerGroup", {"action": "scale_exact", "capacity": {"desired": 5}}, "resized from 2 to 5 instances."),
        ("resizeServerGroup", {"action": "scale_up", "scaleNum": 2}, "resized from 2 instances: scale_up by 2."),
        ("resizeServerGroup", {"action": "scale_down", "scalePct": 50}, "from 2 instances: scale_down by 50 %."),
        ("disableServerGroup", {}, "shop-prod-v002 is taken out of traffic."),
        ("enableServerGroup", {}, "shop-prod-v002 is put into traffic."),
        ("destroyServerGroup", {}, "shop-prod-v002 is destroyed with its 2 instances."),
        ("rollbackCluster", {}, "Which server groups it changes, and how, is known only when it runs."),
    ],
)
def test_a_target_is_found_as_the_stage_would_find_it(kind: str, context: dict[str, Any], sentence: str) -> None:
    aimed = stage(kind, cluster="shop-prod", target="current_asg_dynamic", **context)

    assert said([aimed], group(1), group(2))[0].endswith(sentence)


def test_the_one_before_and_a_named_one_are_found() -> None:
    before = stage("disableServerGroup", cluster="shop-prod", target="ancestor_asg_dynamic")
    named = stage("destroyServerGroup", cluster="shop-prod", serverGroupName="shop-prod-v001")

    assert [one[:14] for one in said([before, named], group(1), group(2), group(3))] == [
        "shop-prod-v002",
        "shop-prod-v001",
    ]


def test_a_stage_without_anything_to_act_on_is_told() -> None:
    aimed = stage("destroyServerGroup", cluster="shop-prod", target="ancestor_asg_dynamic")

    assert said([aimed], group(1)) == ["There is no server group that this stage could act on: it would fail."]


def test_other_stages_change_no_server_group() -> None:
    assert Foreseen([group(1)]).told([stage("wait"), stage("webhook", cluster="shop-prod")]) == []
