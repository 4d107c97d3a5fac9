"""Delete application: not while something of it runs."""

from tests.fakes.clouds import CloudState, FakeCloud
from tests.jobs import Installation

from gennaker.interfaces.clouds import Capacity, Place, ServerGroup
from gennaker.interfaces.plugins import Plugin
from gennaker.model import moniker
from gennaker.model.codec import JsonObject


def test_it_is_removed_and_removing_it_again_is_no_error() -> None:
    installed = Installation()
    installed.done("createApplication", application={"name": "shop"})

    for _ in range(2):
        installed.done("deleteApplication", application={"name": "Shop"})

    assert installed.list("application") == ()


def test_an_application_with_server_groups_stays() -> None:
    state, place = CloudState(), Place(account="local", region="here")
    state.groups["shop-v000"] = ServerGroup(
        name="shop-v000",
        place=place,
        cloud_provider="fake",
        moniker=moniker.parse("shop-v000"),
        created_at=state.at,
        capacity=Capacity(min=1, max=1, desired=1),
        image="shop@sha256:1",
    )
    installed = Installation(Plugin(name="cloud", clouds=(lambda _: FakeCloud(state, place),)))
    installed.done("createApplication", application={"name": "shop"})

    assert "outstanding server groups: shop-v000" in installed.refused(
        "deleteApplication", application={"name": "SHOP"}
    )
    assert len(installed.list("application")) == 1


def test_its_pipelines_strategies_and_places_in_projects_go_with_it() -> None:
    installed = Installation()
    installed.done("createApplication", application={"name": "Shop"})
    for kind in ("pipeline", "strategy"):
        installed.save(kind, f"{kind}-1", {"application": "Shop", "name": "x"})
        installed.save(kind, f"{kind}-2", {"application": "cart", "name": "x"})
    both: JsonObject = {"applications": ["SHOP", "cart"], "clusters": []}
    installed.save("project", "both", {"name": "both", "config": both})
    installed.save("project", "only", {"name": "only", "config": {"applications": ["shop"]}})

    installed.done("deleteApplication", application={"name": "shop"})

    assert [one.id for one in installed.list("pipeline")] == ["pipeline-2"]
    assert [one.id for one in installed.list("strategy")] == ["strategy-2"]
    [left] = installed.list("project")
    assert left.body["config"] == {"applications": ["cart"], "clusters": []}
