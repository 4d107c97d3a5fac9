"""Settings of load balancers: what holds where nothing is said."""

import pytest

from gennaker.traffic_settings import LoadBalancerSettings


@pytest.mark.parametrize(("provider", "seconds"), [("gateway-api", 2.0), ("istio", 2.0), ("ingress-nginx", 5.0)])
def test_a_controller_has_the_time_that_it_usually_needs_unless_told_otherwise(provider: str, seconds: float) -> None:
    usual = LoadBalancerSettings(provider=provider, account="prod", address="shop.example.org:80")
    told = LoadBalancerSettings(provider=provider, account="prod", address="shop.example.org:80", settle_seconds=0)

    assert (usual.settled_within, told.settled_within) == (seconds, 0)
