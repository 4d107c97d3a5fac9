"""Which traffic provider serves a load balancer, and whose shares they are."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests import waiting
from tests.fakes.rollouts import FakePlace
from tests.fakes.traffic import FakeBalancer, FakeTraffic
from tests.harness import Harness

from gennaker.interfaces.clouds import Health
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import LoadBalancer, Shares
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


class Forgetful(FakeTraffic):
    """Has been told its shares, but not taken them, until it is told so often."""

    name = "forgetful"

    def __init__(self, state: dict[str, FakeBalancer], told: list[str], times: int) -> None:
        super().__init__(state)
        self._told = told
        self._times = times

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        found = await super().describe(load_balancer)
        return found and replace(found, is_in_force=len(self._told) >= self._times)

    async def set_weights(self, load_balancer: str, shares: Shares) -> None:
        self._told.append(load_balancer)
        await super().set_weights(load_balancer, shares)


def test_shares_that_are_not_in_force_are_set_again() -> None:
    told: list[str] = []
    state: dict[str, FakeBalancer] = {}
    plugin = Plugin(name="fakes", traffic=(lambda _: Forgetful(state, told, 3),))
    harness = Harness(plugin, settings=Settings(traffic=TrafficSettings(provider="forgetful")))

    async def story(services: Services) -> None:
        await traffic_shares.ensure(services, "shop-prod", "production")
        for _ in range(5):
            await traffic_shares.bring_about(services, "shop-prod")

    harness.do(story)

    assert told == ["shop-prod"] * 3


class Meeting(FakeTraffic):
    """Answers for a load balancer once all are asked."""

    name = "meeting"

    def __init__(self, state: dict[str, FakeBalancer], asked: set[str]) -> None:
        super().__init__(state)
        self._asked = asked

    async def health(self, load_balancer: str) -> Mapping[str, Health]:
        self._asked.add(load_balancer)
        await waiting.until(lambda: len(self._asked) == 2, "both to be asked", pause_seconds=0.1)
        return {}


def test_load_balancers_are_asked_at_the_same_time() -> None:
    names, asked, state = ("shop-api", "shop-web"), set[str](), dict[str, FakeBalancer]()
    meeting = Plugin(name="meeting", traffic=(lambda _: Meeting(state, asked),))
    configured = {name: LoadBalancerSettings(provider="meeting") for name in names}
    place = FakePlace(meeting, settings=Settings(load_balancers=configured)).deployed(loadBalancers=[*names])
    asked.clear()
    found: list[str] = []

    async def story(services: Services) -> None:
        known = await traffic_shares.pools_of(services, place.group("shop-prod-v000"))
        found.extend(name for name, pool in known.items() if pool.states is not None)

    place.harness.do(story)

    assert sorted(found) == [*names]


def test_a_silence_is_logged_once_and_the_next_one_again() -> None:
    state: dict[str, FakeBalancer] = {}
    asked = {"shop-api", "shop-web"}
    meeting = Plugin(name="meeting", traffic=(lambda _: Meeting(state, asked),))
    configured = {"shop-api": LoadBalancerSettings(provider="meeting")}
    place = FakePlace(meeting, settings=Settings(load_balancers=configured)).deployed(loadBalancers=["shop-api"])

    async def story(services: Services) -> None:
        for others in ((), (), ("shop-web",), ()):
            asked.clear()
            asked.update(others)
            await traffic_shares.pools_of(services, place.group("shop-prod-v000"))

    with capture_logs() as lines:
        place.harness.do(story)

    told = [one["load_balancer"] for one in lines if one["event"] == "load_balancer.silent"]
    assert told == ["shop-api"] * 2
