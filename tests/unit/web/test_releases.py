"""Traffic as it is now, of load balancers of which one doesn't answer."""

from collections.abc import Mapping

from tests.fakes.traffic import FakeTraffic
from tests.harness import Harness

from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import Share
from gennaker.model import foreign
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.settings import LoadBalancerSettings, Settings
from gennaker.web import releases

NAMES = ("shop-silent", "shop-prod")


class Silent(FakeTraffic):
    async def in_flight(self, load_balancer: str) -> Mapping[str, int | None]:
        if load_balancer == "shop-silent":
            raise Refused(Problem(code="p", message="It doesn't answer."), status=UNAVAILABLE)
        return await super().in_flight(load_balancer)


def test_a_load_balancer_that_does_not_answer_hides_no_other() -> None:
    provider = Silent({})
    configured = {name: LoadBalancerSettings(provider=provider.name) for name in NAMES}
    harness = Harness(
        Plugin(name="traffic", traffic=(lambda _: provider,)), settings=Settings(load_balancers=configured)
    )
    under_way: dict[str, object] = {}

    async def story(services: Services) -> None:
        for name in NAMES:
            await provider.ensure(name)
            await provider.set_weights(name, {"shop-prod-v001": Share(weight=1, addresses=("127.0.0.1:1",))})
        for found in map(foreign.mapping, await releases.traffic(services, hidden=())):
            [share] = foreign.mappings(found["shares"])
            under_way[foreign.text_at(found, "name")] = share["inFlight"]

    harness.do(story)

    assert under_way == {"shop-silent": None, "shop-prod": 0}
