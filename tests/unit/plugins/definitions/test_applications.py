"""Applications: created, changed, merged."""

import pytest
from tests.jobs import Installation, encoded

from gennaker.model.codec import Json, JsonObject

SHOP: JsonObject = {"name": "Shop", "email": "team@example.org", "cloudProviders": ["local", "docker"]}


@pytest.mark.parametrize("kind", ["createApplication", "upsertApplication"])
def test_a_new_one_is_stored_under_its_name_in_lower_case(kind: str) -> None:
    installed = Installation()

    stage = installed.done(kind, application=SHOP)

    found = installed.get("application", "shop")
    assert found is not None
    assert (found["name"], found["cloudProviders"], found["user"]) == ("shop", "local,docker", "tester")
    assert stage.outputs == {"previousState": {}, "newState": found}


@pytest.mark.parametrize("kind", ["createApplication", "upsertApplication", "updateApplication"])
def test_given_keys_overwrite_and_absent_ones_stay(kind: str) -> None:
    installed = Installation()
    installed.done("createApplication", application=SHOP)

    installed.done(kind, application=encoded({"name": "SHOP", "email": "new@example.org", "trafficGuards": []}))

    found = installed.get("application", "shop")
    assert found is not None
    assert (found["email"], found["cloudProviders"], found["trafficGuards"]) == ("new@example.org", "local,docker", [])
    assert found["createTs"] != found["updateTs"]


def test_only_an_existing_one_can_be_updated() -> None:
    assert "There is no application 'Shop'" in Installation().refused("updateApplication", application=SHOP)


@pytest.mark.parametrize("name", [None, "", 7])
def test_without_a_name_it_is_refused(name: Json) -> None:
    assert "has no name" in Installation().refused("createApplication", application={"name": name})


@pytest.mark.parametrize("name", ["a b", "a/b", ".", "..", "-a", "a" * 256])
def test_a_name_that_pipelines_could_not_have_is_refused(name: str) -> None:
    assert "can't be the name of an application" in Installation().refused(
        "createApplication", application={"name": name}
    )
