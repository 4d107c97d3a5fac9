"""The cloud provider over several clusters, of which one doesn't answer: the others are seen, and what is missing is said."""

import asyncio
import base64
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest
from tests.fakes.kubernetes_api import KubernetesApi
from tests.fakes.kubernetes_world import Controllers, KubernetesWorld
from tests.fakes.registry import MemoryRegistry
from tests.fakes.secrets import store
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import TESTER, Harness
from tests.kubernetes_cluster import never

from gennaker.access.masking import Masker
from gennaker.access.secrets import ResolvedSecrets
from gennaker.access.stored_secrets import SecretRules
from gennaker.interfaces import clouds
from gennaker.interfaces.clouds import Capacity, NewJob, NewServerGroup, Place
from gennaker.interfaces.plugins import Plugin
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes.accounts import Account
from gennaker.plugins.kubernetes.kinds import NO_CUSTOM_KINDS
from gennaker.plugins.kubernetes.provider import KubernetesProvider
from gennaker.transport.kubernetes.kubeconfig import Access, User
from gennaker.transport.kubernetes.server import HttpApiServer
from gennaker.worker.clock import SystemClock

pytestmark = pytest.mark.slow
ACCESS = Access(server="http://cluster", namespace="shop", user=User(token="t"))
UNSEEN = "What runs in the account west can't be seen"


class Two:
    """The accounts `east` and `west`, each with a server group; `west` doesn't answer any more."""

    def __init__(self) -> None:
        self.apis = {name: KubernetesApi() for name in ("east", "west")}
        known = {name: self._account(name) for name in self.apis}
        self.provider = KubernetesProvider(lambda: known, {}, secrets=ResolvedSecrets(Masker()), now=SystemClock().now)

    async def begin(self) -> None:
        for name in self.apis:
            new = NewServerGroup(
                key=name,
                name=f"shop-{name}-v000",
                place=Place(account=name, region="shop"),
                image="shop",
                capacity=Capacity(min=1, max=1, desired=1),
            )
            await self.provider.create(new)
        self.apis["west"].is_down = True

    def _account(self, name: str) -> Account:
        self.apis[name].behaviour = Controllers()
        server = HttpApiServer(name, lambda: ACCESS, now=SystemClock().now, transport=self.apis[name])
        settings = KubernetesAccountSettings(in_cluster=True, namespaces=("shop",))
        return Account(name=name, server=server, settings=settings, custom=NO_CUSTOM_KINDS)


def test_decisions_about_an_account_that_answers_don_t_wait_for_one_that_doesn_t() -> None:
    async def story() -> None:
        two = Two()
        await two.begin()
        in_account = partial(clouds.of_account, two.provider, "shop")

        assert [one.name for one in await in_account("east")] == ["shop-east-v000"]
        with pytest.raises(Refused, match=UNSEEN):
            await in_account("west")
        with pytest.raises(Refused, match=UNSEEN):
            await two.provider.describe("shop")

        two.apis["west"].is_down = False
        assert [one.name for one in await in_account("west")] == ["shop-west-v000"]

    asyncio.run(story())


def test_a_list_shows_what_can_be_seen_and_says_what_can_t() -> None:
    two = Two()
    harness = Harness(Plugin(name="two", clouds=(lambda _: two.provider,)))

    async def look(site: Website) -> None:
        await two.begin()
        await site.ports.services.definitions.save("application", "shop", {"name": "shop"}, author="ada")

        shown = (await site.call("GET", "/applications/shop")).json
        names = (await site.call("GET", "/applications/shop/clusters")).json

        assert {*shown["clusters"]} == {"east"}
        assert {*shown["unseenAccounts"]} == {"west"}
        assert shown["unseenAccounts"]["west"].startswith(UNSEEN)
        assert names == {"east": ["shop-east"]}
        compared = await site.get("/api/v1/applications/shop/comparison?left=east&right=west")
        assert compared.status == 503
        assert UNSEEN in compared.json["detail"]
        assert compared.json["title"] == "What is needed for it doesn't answer now"  # the store does

    visit(look, harness=harness)


def test_a_server_groups_secrets_are_in_a_secret_that_goes_with_it(tmp_path: Path) -> None:
    kept, place = store(tmp_path), Place(account="shop", region="shop")
    world = KubernetesWorld(place, "shop", MemoryRegistry())
    world.secrets.offer([kept])
    new = NewServerGroup(
        key="k",
        name="shop-v000",
        place=place,
        image="shop",
        capacity=Capacity(min=1, max=1, desired=1),
        environment={"TOKEN": "Bearer secret://store?n=hub", "COLOUR": "green"},
        application="shop",
    )

    async def story() -> None:
        await kept.set("hub", "the hub's token", SecretRules(applications=("shop",)), by=TESTER)
        with pytest.raises(Refused, match="isn't for pipelines of cart"):
            await world.provider().create(msgspec.structs.replace(new, application="cart"))
        assert world.api.names("replicasets") == world.api.names("secrets") == []
        await world.provider().create(new)
        made = world.api.object("replicasets", new.name)
        (name,) = world.api.names("secrets")

        (container,) = made["spec"]["template"]["spec"]["containers"]
        assert container["env"][:2] == [
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": name, "key": "TOKEN"}}},
            {"name": "COLOUR", "value": "green"},
        ]
        secret = world.api.object("secrets", name)
        assert secret["data"] == {"TOKEN": base64.b64encode(b"Bearer the hub's token").decode()}
        (owner,) = secret["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("ReplicaSet", new.name, made["metadata"]["uid"])
        assert "the hub" not in str(made)
        world.api.remove("secrets", name, "shop")  # as if ended before it was made
        await world.provider().create(new)
        assert world.api.names("secrets") == [name]

    asyncio.run(story())


def test_an_account_that_may_not_use_secrets_makes_nothing_that_would_wait_for_one(tmp_path: Path) -> None:
    kept, place = store(tmp_path), Place(account="shop", region="shop")
    world = KubernetesWorld(place, "shop", MemoryRegistry(), omit_kinds=("secret",))
    world.secrets.offer([kept])
    new = NewServerGroup(
        key="k",
        name="shop-v000",
        place=place,
        image="shop",
        capacity=Capacity(min=1, max=1, desired=1),
        environment={"TOKEN": "secret://store?n=hub"},
        application="shop",
    )

    async def story() -> None:
        await kept.set("hub", "the hub's token", SecretRules(applications=("shop",)), by=TESTER)
        with pytest.raises(Refused, match="may not use objects of the kind secret"):
            await world.provider().create(new)
        assert world.api.names("replicasets") == []

    asyncio.run(story())


def test_a_jobs_secrets_are_in_a_secret_that_goes_with_it_and_is_made_once(tmp_path: Path) -> None:
    kept, place = store(tmp_path), Place(account="shop", region="shop")
    world = KubernetesWorld(place, "shop", MemoryRegistry())
    world.secrets.offer([kept])
    environment = {"TOKEN": "Bearer secret://store?n=hub", "COLOUR": "green"}
    new = NewJob(key="tests", place=place, image="shop", environment=environment, application="shop")

    async def story() -> None:
        await kept.set("hub", "the hub's token", SecretRules(applications=("shop",)), by=TESTER)
        with pytest.raises(Refused, match="isn't for pipelines of cart"):
            await world.provider().run_job(msgspec.structs.replace(new, application="cart"))
        assert world.api.names("jobs") == []
        job = await world.provider().run_job(new)
        made, secret = world.api.object("jobs", job.id), world.api.object("secrets", job.id)
        await world.provider().run_job(new)

        (container,) = made["spec"]["template"]["spec"]["containers"]
        told = {"name": job.id, "key": "TOKEN"}
        assert container["env"] == [
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": told}},
            {"name": "COLOUR", "value": "green"},
        ]
        assert secret["data"] == {"TOKEN": base64.b64encode(b"Bearer the hub's token").decode()}
        (owner,) = secret["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"]) == ("Job", job.id, made["metadata"]["uid"])
        assert world.api.object("secrets", job.id) == secret

    asyncio.run(story())


def test_a_job_that_was_made_just_before_a_kill_gets_its_secret_afterwards(tmp_path: Path) -> None:
    kept, place = store(tmp_path), Place(account="shop", region="shop")
    world = KubernetesWorld(place, "shop", MemoryRegistry())
    world.secrets.offer([kept])
    environment = {"TOKEN": "secret://store?n=hub"}
    new = NewJob(key="tests", place=place, image="shop", environment=environment, application="shop")

    async def story() -> None:
        await kept.set("hub", "the hub's token", SecretRules(applications=("shop",)), by=TESTER)
        job = await world.provider().run_job(new)
        world.api.remove("secrets", job.id, "shop")
        await world.provider().run_job(new)
        assert world.api.names("secrets") == [job.id]

    asyncio.run(story())


def test_a_job_without_a_node_is_not_called_failed_but_tells_until_when_it_is_usually_waited_for() -> None:
    place = Place(account="shop", region="shop")
    world = KubernetesWorld(place, "shop", MemoryRegistry())
    world.api.behaviour = never
    began = "2020-01-01T00:00:00+00:00"
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}

    async def story() -> None:
        begun = await world.provider().run_job(NewJob(key="tests", place=place, image="shop"))
        owner = {"kind": "Job", "name": begun.id, "uid": world.api.object("jobs", begun.id)["metadata"]["uid"]}
        metadata = {"name": "tests-x", "namespace": "shop", "ownerReferences": [owner]}
        status = {"phase": "Pending", "conditions": [{**condition, "lastTransitionTime": began}]}
        world.api.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}, "shop")

        job = await world.provider().job(place, begun.id)

        late = datetime.fromisoformat(began) + timedelta(minutes=5)
        said = "pod tests-x: 0/3 nodes (Unschedulable)."
        assert job == msgspec.structs.replace(begun, reason=said, is_unplaced=True, fails_at=late)

    asyncio.run(story())


@pytest.mark.parametrize("unlisted", ["replicasets", "pods", "services"])
def test_where_it_could_not_be_seen_nothing_is_made(unlisted: str) -> None:
    async def story() -> None:
        two = Two()
        two.apis["east"].forbidden[f"GET {unlisted}"] = f"{unlisted} is forbidden"

        with pytest.raises(Refused, match=f"{unlisted} is forbidden"):
            await two.begin()

        assert two.apis["east"].names("replicasets") == []

    asyncio.run(story())
