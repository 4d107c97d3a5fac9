"""Gate's search box over what was deployed as manifests."""

from datetime import timedelta
from typing import Any

import pytest
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.kubernetes_cluster import ACCOUNT, Cluster, config_map, workload

from gennaker.access.credentials import Token
from gennaker.access.identities import Person
from gennaker.model.principal import Principal


def found(cluster: Cluster, query: str) -> list[Any]:
    answers: list[Any] = []

    async def work(site: Website) -> None:
        answers.extend((await site.get(f"/search?{query}")).json)

    visit(work, harness=cluster.harness)
    listed: list[Any] = answers[0]["results"]
    return listed


def test_names_of_a_kind_in_a_namespace_are_what_decks_editor_chooses_from() -> None:
    cluster = Cluster()
    cluster.deploy(workload(), config_map(mode="fast"))
    cluster.deploy(workload(name="hidden", annotations={"caching.spinnaker.io/ignore": "true"}))

    (one,) = found(cluster, "q=shop&type=deployment&pageSize=500")

    expected = {"name": "deployment web", "kubernetesKind": "deployment", "namespace": "shop", "account": ACCOUNT}
    assert {key: one[key] for key in expected} == expected
    assert (one["type"], one["application"], one["cluster"]) == ("serverGroupManagers", "shop", "deployment web")


@pytest.mark.parametrize(
    "query", ["q=elsewhere&type=deployment", "q=&type=deployment", "q=shop&type=nothing", "q=..%2F..&type=pod"]
)
def test_nothing_is_found_of_what_isnt_there(query: str) -> None:
    cluster = Cluster()
    cluster.deploy(workload())

    assert found(cluster, query) == []


def test_an_account_finds_no_kind_and_no_namespace_that_it_may_not_use() -> None:
    cluster = Cluster(omit_kinds=("secret",), namespaces=("other",))
    cluster.api.put(workload())
    cluster.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}, "other")

    assert found(cluster, "q=shop&type=deployment") == []
    assert found(cluster, "q=other&type=secret") == []


@pytest.mark.parametrize(("role", "count"), [("dev", 0), ("ops", 1)])
def test_only_accounts_that_may_be_read_are_asked(role: str, count: int) -> None:
    cluster = Cluster(must_sign_in=True, readers=("ops",), runs_services=False)
    cluster.api.put(workload(annotations={"moniker.spinnaker.io/application": "open"}))

    async def work(site: Website) -> None:
        await site.ports.services.definitions.save("application", "open", {"name": "open"}, author="test")
        now = site.ports.services.clock.now()
        await site.sign_in.identities.add_person(Person(name="ada", roles=(role,), since=now))
        until = now + timedelta(days=1)
        token = await site.sign_in.new_token(
            Token(id="", name="t", holder="ada", scopes=None, made_by="test", made_at=now, until=until),
            by=Principal(name="operator", is_operator=True),
        )
        asked_before = len(cluster.api.asked)
        answer = await site.get("/search?q=shop&type=deployment", token=token)
        assert len(answer.json[0]["results"]) == count
        assert bool(cluster.api.asked[asked_before:]) == bool(count)

    visit(work, harness=cluster.harness)


def test_a_search_asks_for_so_many_kinds_at_most() -> None:
    async def work(site: Website) -> None:
        named = "".join(f"&type=kind{number}" for number in range(21))
        repeated = "&type=deployment" * 50
        assert (await site.get(f"/search?q=shop{repeated}")).status == 200
        answer = await site.get(f"/search?q=shop{named}")
        assert (answer.status, answer.json["code"]) == (400, "search.too_many_types")
        assert "at most 20" in answer.json["message"]
        together = ",".join(f"kind{number}" for number in range(21))
        assert (await site.get(f"/search?q=shop&type={together}")).status == 400

    cluster = Cluster()
    visit(work, harness=cluster.harness)


def test_several_types_can_be_named_at_once_with_commas() -> None:
    async def work(site: Website) -> None:
        save = site.ports.services.definitions.save
        await save("application", "shop", {"name": "shop"}, author="test")
        await save("project", "p1", {"name": "shopping"}, author="test")

        async def found(types: str) -> list[str]:
            [answer] = (await site.get(f"/search?q=shop&type={types}")).json
            return [one["type"] for one in answer["results"]]

        assert await found("applications,projects") == ["applications", "projects"]
        assert await found("projects,") == ["projects"]
        assert await found("") == ["applications", "projects"]

    visit(work, harness=Cluster().harness)
