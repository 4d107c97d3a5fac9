"""The traffic keeper: load balancers follow their instances, weights stay."""

from datetime import timedelta
from typing import ClassVar

import pytest
from msgspec.structs import replace
from tests.fakes.rollouts import LOAD_BALANCER, NEW, PLACE, FakePlace, deploy
from tests.fakes.traffic import FakeTraffic

from gennaker.interfaces.clouds import Health, Instance, Place
from gennaker.interfaces.departures import Departure
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import LoadBalancer, Share, key
from gennaker.settings import Settings
from gennaker.traffic_settings import LoadBalancerSettings

GROUP = "shop-prod-v000"


async def a_moment(services: Services) -> None:
    await services.clock.sleep_until(services.clock.now() + timedelta(seconds=2))


def change(place: FakePlace, number: int, **fields: object) -> Instance:
    group = place.cloud.groups[GROUP]
    changed = replace(group.instances[number], **fields)
    instances = tuple(changed if index == number else one for index, one in enumerate(group.instances))
    place.cloud.groups[GROUP] = replace(group, instances=instances)
    return changed


def left(**differently: str) -> Departure:
    """What is told when an instance of the server group leaves, or one that isn't its own."""
    account, region = differently.get("account", PLACE.account), differently.get("region", PLACE.region)
    return Departure(
        cloud_provider=differently.get("cloud_provider", "fake"),
        place=Place(account=account, region=region),
        application=differently.get("application", "shop"),
    )


def addresses(place: FakePlace) -> tuple[str, ...]:
    return place.share(GROUP).addresses


def test_an_instance_that_moved_is_followed() -> None:
    place = FakePlace().deployed()
    change(place, 0, address="127.0.0.1:39999")

    place.harness.do(a_moment)

    assert addresses(place)[0] == "127.0.0.1:39999"
    assert place.weights() == {GROUP: 1}


def test_an_instance_that_is_down_gets_nothing_until_it_is_up() -> None:
    place = FakePlace().deployed()
    before = addresses(place)
    change(place, 0, health=Health.DOWN)
    place.harness.do(a_moment)
    during = addresses(place)

    change(place, 0, health=Health.UP)
    place.harness.do(a_moment)

    assert (during, addresses(place)) == (before[1:], before)


def test_it_looks_at_once_when_an_instance_has_left_and_again_a_second_later() -> None:
    place = FakePlace().deployed()
    before = addresses(place)

    async def story(services: Services) -> None:
        await services.clock.sleep_until(services.clock.now() + timedelta(seconds=10.5))
        at = services.clock.now()
        looked: list[tuple[str, ...]] = []
        for number, seconds, application in ((0, 0.0, "shop"), (1, 0.25, "Shop")):
            await services.clock.sleep_until(at + timedelta(seconds=seconds))
            change(place, number, health=Health.DOWN if number == 0 else Health.FAILED)
            services.departures.tell(left(application=application))
            await services.clock.sleep_until(at + timedelta(seconds=seconds + 0.21))
            looked.append(addresses(place))
        assert looked == [before[1:], ()]

    place.harness.do(story)


@pytest.mark.parametrize("key", ["cloud_provider", "application", "account", "region"])
def test_it_does_not_look_sooner_for_an_instance_that_no_load_balancer_had(key: str) -> None:
    place = FakePlace().deployed()
    before = addresses(place)

    async def story(services: Services) -> None:
        await services.clock.sleep_until(services.clock.now() + timedelta(seconds=10.5))
        at = services.clock.now()
        change(place, 0, health=Health.DOWN)
        services.departures.tell(left(**{key: "other"}))
        await services.clock.sleep_until(at + timedelta(seconds=0.21))
        assert addresses(place) == before
        await services.clock.sleep_until(at + timedelta(seconds=1))
        assert addresses(place) == before[1:]

    place.harness.do(story)


def test_where_all_are_said_to_be_down_they_are_still_asked() -> None:
    place = FakePlace().deployed()
    before = addresses(place)
    change(place, 0, health=Health.DOWN)
    change(place, 1, health=Health.DOWN)

    place.harness.do(a_moment)

    assert addresses(place)
    assert set(addresses(place)) <= set(before)


def test_of_whom_nobody_can_say_how_they_are_those_stay_in_traffic_that_were_in_it() -> None:
    place = FakePlace().deployed()
    before = addresses(place)
    change(place, 0, health=Health.UNKNOWN)
    place.harness.do(a_moment)
    beside_one_that_is_up = addresses(place)

    change(place, 1, health=Health.UNKNOWN, address="127.0.0.1:39999")
    place.harness.do(a_moment)

    assert beside_one_that_is_up == before
    assert addresses(place) == before[:1]


def test_nothing_is_told_to_a_load_balancer_that_is_as_it_should_be() -> None:
    place = FakePlace().deployed()

    place.harness.do(a_moment)

    assert [operation for operation, _ in place.faults.calls] == []


def test_what_was_lost_by_the_load_balancer_comes_back() -> None:
    place = FakePlace().deployed()
    place.run(deploy(NEW, strategy="redblack", gracePeriod="P1D"))
    place.balancers[LOAD_BALANCER].shares = {key(PLACE, GROUP): Share(weight=1, addresses=("127.0.0.1:1",))}

    place.harness.do(a_moment)

    assert place.weights() == {"shop-prod-v001": 1}


class Slow(FakeTraffic):
    """Takes its time to say anything, once it is told so."""

    name = "slow"
    wait: ClassVar[timedelta] = timedelta()

    def __init__(self, services: Services) -> None:
        super().__init__({})
        self._clock = services.clock

    async def describe(self, load_balancer: str) -> LoadBalancer | None:
        await self._clock.sleep_until(self._clock.now() + self.wait)
        return await super().describe(load_balancer)


SLOW = Settings(load_balancers={"a-slow-one": LoadBalancerSettings(provider="slow")})


def test_a_slow_load_balancer_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Plugin(name="slow", traffic=(Slow,))
    place = FakePlace(slow, settings=SLOW).deployed(loadBalancers=["a-slow-one", LOAD_BALANCER])
    monkeypatch.setattr(Slow, "wait", timedelta(hours=1))
    place.harness.do(a_moment)
    change(place, 0, address="127.0.0.1:39999")

    place.harness.do(a_moment)

    assert addresses(place)[0] == "127.0.0.1:39999"


def test_an_instance_that_leaves_during_a_look_is_looked_for_when_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    place = FakePlace(Plugin(name="slow", traffic=(Slow,)), settings=SLOW).deployed(loadBalancers=["a-slow-one"])
    looked: list[float] = []

    async def story(services: Services) -> None:
        began = services.clock.now()

        async def describe(slow: Slow, load_balancer: str) -> LoadBalancer | None:
            looked.append((services.clock.now() - began).total_seconds())
            found = await FakeTraffic.describe(slow, load_balancer)
            await services.clock.sleep_until(services.clock.now() + timedelta(seconds=0.7))
            return found

        monkeypatch.setattr(Slow, "describe", describe)
        await services.clock.sleep_until(began + timedelta(seconds=10))
        first = looked[-1]
        await services.clock.sleep_until(began + timedelta(seconds=first + 1.3))
        services.departures.tell(left())
        await services.clock.sleep_until(began + timedelta(seconds=first + 2.5))
        assert [round(at - first, 1) for at in looked if at > first] == [1.0, 1.7]

    place.harness.do(story)
