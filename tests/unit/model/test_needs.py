"""Needs: whose applications and accounts a stage acts on, whichever of the keys says so that stages read."""

import pytest

from gennaker.model import needs
from gennaker.model.codec import JsonObject
from gennaker.model.permissions import Need, Right

ACCOUNT = Need(right=Right.WRITE, account="prod")
SHOP = Need(right=Right.WRITE, application="shop")


@pytest.mark.parametrize(
    "context",
    [
        {"cluster": "shop-prod"},
        {"serverGroupName": "shop-prod-v000"},
        {"cluster": "tools-prod", "serverGroupName": "shop-prod-v000"},
        {"serverGroupName": "", "asgName": "shop-prod-v000"},
        {"cluster": "tools-prod", "asgName": "shop-prod-v000"},
        {"resolvedServerGroup": "shop-prod-v000"},
        {"chosenServerGroups": ["tools-prod-v000", "shop-prod-v000"]},
        {"moniker": {"app": "shop"}},
        {"moniker": {"app": "tools", "cluster": "shop-prod"}},
        {"moniker": {"app": "tools", "cluster": "shop-prod"}, "cluster": {"moniker": {"app": "tools"}}},
        {"target": {"serverGroupName": "shop-prod-v000"}},
        {"rollbackContext": {"rollbackServerGroupName": "shop-prod-v001"}},
        {
            "serverGroupName": "tools-prod-v001",
            "rollbackContext": {
                "rollbackServerGroupName": "tools-prod-v001",
                "restoreServerGroupName": "shop-prod-v000",
            },
        },
        {"application": "shop"},
        {"app": "shop", "cluster": "deployment web", "mode": "dynamic"},
        {"clusters": [{"application": "tools"}, {"application": "shop"}]},
    ],
)
def test_whatever_names_another_applications_server_groups_asks_for_that_application(context: JsonObject) -> None:
    clusters = [{"account": "prod", **one} for one in context.get("clusters", [])]
    given: JsonObject = {"account": "prod", **context, **({"clusters": clusters} if clusters else {})}

    assert set(needs.of_targets(given, "tools")) == {ACCOUNT, SHOP}


@pytest.mark.parametrize(
    "context",
    [
        {"cluster": "shop-prod"},
        {"serverGroupName": "shop-prod-v000"},
        {"asgName": "shop-prod-v000"},
        {"resolvedServerGroup": "shop-prod-v000"},
        {"rollbackServerGroupName": "shop-prod-v000"},
        {"restoreServerGroupName": "shop-prod-v000"},
        {"rollbackContext": {"restoreServerGroupName": "shop-prod-v000"}},
        {"chosenServerGroups": ["shop-prod-v000"]},
        {"moniker": {"app": "shop"}},
        {"moniker": {"cluster": "shop-prod"}},
        {"target": {"cluster": "shop-prod"}},
        {"clusters": [{"cluster": "shop-prod"}]},
    ],
)
def test_each_key_that_names_something_is_looked_at_where_it_stands_alone(context: JsonObject) -> None:
    assert needs.of_targets(context, "tools") == [SHOP]


@pytest.mark.parametrize("key", ["account", "credentials"])
def test_each_key_that_names_an_account_is_looked_at_where_it_stands_alone(key: str) -> None:
    assert needs.of_targets({key: "prod"}, "tools") == [ACCOUNT]


@pytest.mark.parametrize("key", ["cluster", "target"])
def test_an_account_that_stands_further_in_is_asked_for_too(key: str) -> None:
    inner: JsonObject = {"serverGroupName": "tools-prod-v000", "credentials": "prod"}

    assert needs.of_targets({"account": "test", key: inner}, "tools") == [
        Need(right=Right.WRITE, account="test"),
        ACCOUNT,
    ]


@pytest.mark.parametrize(
    "context",
    [
        {"cluster": "tools-prod", "serverGroupName": "tools-prod-v000", "target": "current_asg_dynamic"},
        {"cluster": "deployment web", "manifestName": "deployment web", "app": "tools"},
        {"moniker": {"app": "Tools", "cluster": "replicaSet web"}, "application": "tools"},
    ],
)
def test_what_is_its_own_takes_the_account_only(context: JsonObject) -> None:
    assert needs.of_targets({"account": "prod", **context}, "tools") == [ACCOUNT]


@pytest.mark.parametrize("kind", ["runCanary", "upsertProject", "webhook"])
def test_a_job_takes_what_its_alias_takes(kind: str) -> None:
    job: JsonObject = {"type": kind, "alias": "webhook", "url": "https://example.org"}

    assert needs.of_jobs({"application": "shop", "job": [job]}) == (SHOP,)
