"""What load balancers' pools say of a server group's instances."""

from datetime import UTC, datetime

import pytest

from gennaker.interfaces import pools
from gennaker.interfaces.clouds import Capacity, Health, HealthSource, Instance, Place, ServerGroup
from gennaker.interfaces.pools import Pool
from gennaker.interfaces.traffic import Share
from gennaker.model.moniker import parse

AT = datetime(2026, 1, 1, tzinfo=UTC)
KEY = "local:local:shop-v000"
ONE = Instance(id="shop-v000-0", address="127.0.0.1:1", health=Health.UP, launched_at=AT)
GROUP = ServerGroup(
    name="shop-v000",
    place=Place(account="local", region="local"),
    cloud_provider="local",
    moniker=parse("shop-v000"),
    created_at=AT,
    capacity=Capacity(min=1, max=1, desired=1),
    image="shop",
    load_balancers=("web", "api"),
    instances=(ONE,),
)


def pool(weight: int, states: dict[str, Health] | None) -> Pool:
    return Pool(shares={KEY: Share(weight=weight, addresses=("127.0.0.1:1",))}, states=states)


UP, DOWN, UNKNOWN = ({"127.0.0.1:1": state} for state in (Health.UP, Health.DOWN, Health.UNKNOWN))


@pytest.mark.parametrize(
    ("known", "state"),
    [
        ({}, None),
        ({"web": pool(0, {})}, None),
        ({"web": Pool(shares={}, states={})}, None),
        ({"web": pool(1, UP)}, Health.UP),
        ({"web": pool(1, UNKNOWN)}, Health.UNKNOWN),
        ({"web": pool(1, None)}, Health.UNKNOWN),
        ({"web": pool(1, {})}, Health.OUT_OF_SERVICE),
        ({"web": pool(1, DOWN)}, Health.DOWN),
        ({"web": pool(1, UP), "api": pool(1, None)}, Health.UP),
        ({"web": pool(1, UP), "api": pool(1, {})}, Health.OUT_OF_SERVICE),
        ({"web": pool(1, UP), "api": pool(1, DOWN)}, Health.DOWN),
    ],
)
def test_all_load_balancers_together_say_the_worst(known: dict[str, Pool], state: Health | None) -> None:
    found = pools.said(GROUP, ONE, known)

    assert (found and found.state) == state


def test_their_word_stands_beside_the_providers() -> None:
    (found,) = pools.judged(GROUP, {"web": pool(1, DOWN)}).instances

    reason = "web: given up by the load balancer, whose requests it didn't take"
    assert (found.health, found.health_reason) == (Health.DOWN, reason)
    assert found.sources == (
        HealthSource(type="local", state=Health.UP, is_platform=True),
        HealthSource(type="LoadBalancer", state=Health.DOWN, reason=reason),
    )


def test_a_silence_is_news_once() -> None:
    silences = pools.Silences()

    told = [silences.begins("web"), silences.begins("web"), silences.begins("api")]
    silences.ends("web")

    assert told == [True, False, True]
    assert [silences.begins("web"), silences.begins("api")] == [True, False]
