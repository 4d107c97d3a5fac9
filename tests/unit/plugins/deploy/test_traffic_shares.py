"""Which traffic provider serves a load balancer, and whose shares they are."""

import pytest
from tests.fakes.traffic import FakeBalancer, FakeTraffic
from tests.harness import Harness

from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.model.problems import Refused
from gennaker.plugins.deploy import traffic_shares
from gennaker.settings import LoadBalancerSettings, Settings, TrafficSettings

TRAFFIC = TrafficSettings(provider="main", accounts={"staging": "other", "lost": "unheard-of"})
CONFIGURED = {"shop-named": LoadBalancerSettings(provider="other")}


def providers(*names: str) -> tuple[Plugin, dict[str, dict[str, FakeBalancer]]]:
    states: dict[str, dict[str, FakeBalancer]] = {name: {} for name in names}

    def made(name: str) -> FakeTraffic:
        provider = FakeTraffic(states[name])
        provider.name = name
        return provider

    return Plugin(name="fakes", traffic=tuple(lambda _, name=name: made(name) for name in names)), states


@pytest.mark.parametrize(
    ("load_balancer", "account", "provider"),
    [
        ("shop-prod", "production", "main"),
        ("shop-prod", "staging", "other"),
        ("shop-named", "production", "other"),
    ],
)
def test_the_settings_say_which_provider_serves(load_balancer: str, account: str, provider: str) -> None:
    plugin, states = providers("main", "other")
    harness = Harness(plugin, settings=Settings(traffic=TRAFFIC, load_balancers=CONFIGURED))

    async def story(services: Services) -> None:
        await traffic_shares.ensure(services, load_balancer, account)

    harness.do(story)

    assert [name for name, state in states.items() if load_balancer in state] == [provider]


def test_a_load_balancer_stays_where_it_was_created() -> None:
    plugin, states = providers("main", "other")
    harness = Harness(plugin, settings=Settings(traffic=TRAFFIC))

    async def story(services: Services) -> None:
        await traffic_shares.ensure(services, "shop-prod", "production")
        await traffic_shares.ensure(services, "shop-prod", "staging")

    harness.do(story)

    assert {name: list(state) for name, state in states.items()} == {"main": ["shop-prod"], "other": []}


def test_a_provider_that_there_is_not_is_said_with_those_that_there_are() -> None:
    plugin, _ = providers("main", "other")
    harness = Harness(plugin, settings=Settings(traffic=TRAFFIC))

    async def story(services: Services) -> None:
        with pytest.raises(Refused, match=r"no traffic provider 'unheard-of'. Use one of: main, other\."):
            await traffic_shares.ensure(services, "shop-prod", "lost")

    harness.do(story)
