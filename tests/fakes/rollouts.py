"""A place to deploy to, in memory: cloud, load balancers, faults, and pipelines that deploy the shop."""

from datetime import datetime, timedelta

from msgspec.structs import replace
from tests.fakes.clouds import CloudState, FakeCloud
from tests.fakes.faulty import Faults, FaultyCloud, FaultyTraffic
from tests.fakes.traffic import FakeBalancer, FakeTraffic
from tests.harness import Harness, problem_of

from gennaker.interfaces.clouds import Capacity, NewServerGroup, Place, ServerGroup
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.routes import Routing
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import Share, key, name_of
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution
from gennaker.model.release import Release
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import releases, rollouts
from gennaker.plugins.deploy.plugin import plugin as deploy_plugin
from gennaker.plugins.flow.plugin import plugin as flow_plugin
from gennaker.settings import Settings

PLACE = Place(account="local", region="local")
REMOTE = Place(account="local", region="remote")
OLD, NEW, NEWER, SICK, CRASHING = (f"registry/shop@sha256:{name}" for name in ("old", "new", "newer", "sick", "crash"))
LOAD_BALANCER = "shop-prod"
SETTLED = timedelta(seconds=90)
"""Long enough for every keeper to have done what is due."""


class FakePlace:
    """An installation that can deploy, and what can be seen of it from outside."""

    def __init__(self, *more: Plugin, settings: Settings | None = None) -> None:
        self.cloud = CloudState()
        self.cloud.images |= {OLD, NEW, NEWER, SICK, CRASHING}
        self.balancers: dict[str, FakeBalancer] = {}
        self.routing = frozenset(Routing)
        self.faults = Faults()
        self.faults.never_up.add(SICK)
        self.faults.crashing.add(CRASHING)
        self._begun: dict[str, datetime] = {}
        self.harness = Harness(flow_plugin, deploy_plugin, self._plugin(), *more, settings=settings)

    def _plugin(self) -> Plugin:
        return Plugin(
            name="fakes",
            clouds=(
                lambda services: FaultyCloud(
                    FakeCloud(self.cloud, PLACE, REMOTE), self.faults, services.clock, self._begun
                ),
            ),
            traffic=(lambda _: FaultyTraffic(FakeTraffic(self.balancers, self.routing), self.faults),),
        )

    def deployed(self, image: str = OLD, **keys: Json) -> "FakePlace":
        """With this running, as after an undisturbed deploy."""
        settled = timedelta(seconds=2)
        execution = self.harness.run(deploy(image, **{"strategy": "redblack", **keys}), afterwards=settled)
        assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
        self.faults.calls.clear()
        self.harness.probe.seen.clear()
        return self

    def elsewhere(self, name: str, image: str = OLD, **changes: object) -> "FakePlace":
        """With another server group, in the region `remote`, that has no load balancer."""
        new = NewServerGroup(
            key=f"by hand/{name}",
            name=name,
            place=REMOTE,
            image=image,
            capacity=Capacity(min=1, max=3, desired=2),
        )
        self.harness.time.run(FakeCloud(self.cloud, REMOTE).create(new))
        self.cloud.groups[name] = replace(self.cloud.groups[name], **changes)
        return self

    def run(self, pipeline: JsonObject, **options: object) -> Execution:
        """Runs a pipeline and lets the keepers finish."""
        return self.harness.run(pipeline, **{"afterwards": SETTLED, **options})  # type: ignore[arg-type]  # its own keywords

    def group(self, name: str) -> ServerGroup:
        """A server group as it is at the provider."""
        return self.cloud.groups[name]

    def share(self, name: str, load_balancer: str = LOAD_BALANCER) -> Share:
        """Of the server group of this name in the usual region."""
        found: Share = self.balancers[load_balancer].shares[key(PLACE, name)]
        return found

    def weights(self, load_balancer: str = LOAD_BALANCER) -> dict[str, int]:
        """Weights of those that get traffic."""
        return {name_of(key): one.weight for key, one in self.balancers[load_balancer].shares.items() if one.weight}

    def seen(self) -> JsonObject:
        """Everything that matters: server groups with size and image, traffic by image, releases, loose ends."""
        groups: JsonObject = {
            one.name: [one.image, one.capacity.desired, len(one.instances), one.is_disabled]
            for one in self.cloud.groups.values()
        }
        traffic: JsonObject = {
            name: {
                name_of(key): [share.weight, len(share.addresses)] for key, share in lb.shares.items() if share.weight
            }
            for name, lb in self.balancers.items()
        }
        told: list[Json] = [[one.server_group, one.state.value, one.replaced] for one in self.releases()]
        return {"groups": groups, "traffic": traffic, "releases": told, "rollouts": self.open_rollouts()}

    def releases(self) -> list[Release]:
        """All releases, oldest first."""
        found: list[Release] = []

        async def look() -> None:
            found.extend(await releases.all_of(self._services()))

        self.harness.time.run(look())
        return sorted(found, key=lambda one: one.released_at)

    def open_rollouts(self) -> int:
        """How many rollouts aren't over."""
        found: list[rollouts.Rollout] = []

        async def look() -> None:
            found.extend(await rollouts.unfinished(self._services()))

        self.harness.time.run(look())
        return len(found)

    def _services(self) -> Services:
        return self.harness.built().services


def deploy(image: Json, *, stages: tuple[JsonObject, ...] = (), **keys: Json) -> JsonObject:
    """A pipeline that deploys the shop to production, and does more afterwards."""
    return {"application": "shop", "name": "deliver", "id": "p1", "stages": [deploy_stage(image, **keys), *stages]}


def deploy_stage(image: Json, **keys: Json) -> JsonObject:
    """The stage that deploys the shop; what it replaces goes at once unless `gracePeriod` says otherwise."""
    cluster: JsonObject = {
        "account": "local",
        "region": "local",
        "cloudProvider": "fake",
        "application": "shop",
        "stack": "prod",
        "capacity": {"min": 2, "max": 2, "desired": 2},
        "loadBalancers": [LOAD_BALANCER],
        "image": image,
        "upTimeout": "PT30S",
        "gracePeriod": "PT0S",
        **keys,
    }
    return {"refId": "1", "requisiteStageRefIds": [], "type": "deploy", "name": "Deploy", "clusters": [cluster]}


def stage(kind: str, **keys: Json) -> JsonObject:
    """A pipeline of one stage about the shop's production."""
    place: JsonObject = {"credentials": "local", "region": "local", "cloudProvider": "fake", "cluster": "shop-prod"}
    own: JsonObject = {"refId": "1", "requisiteStageRefIds": [], "type": kind, "name": kind, **place, **keys}
    return {"application": "shop", "name": kind, "stages": [own]}
