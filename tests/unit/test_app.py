"""What is refused before the server starts: listening where anyone could use it, twice on one port; and what plugins offer."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from gennaker import app
from gennaker.model.problems import Refused
from gennaker.settings import (
    KubernetesAccountSettings,
    RegistrySettings,
    ServerSettings,
    Settings,
    SignInSettings,
)
from gennaker.traffic_settings import LoadBalancerSettings


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org", ""])
def test_a_server_anywhere_but_on_loopback_is_refused(host: str) -> None:
    with pytest.raises(Refused, match="without signing in"):
        app.check_addresses(Settings(server=ServerSettings(host=host)))


def test_a_server_where_people_sign_in_may_listen_anywhere() -> None:
    app.check_addresses(Settings(server=ServerSettings(host="0.0.0.0"), sign_in=SignInSettings(required=True)))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_under_any_name_will_do(host: str) -> None:
    balancers = {"shop": LoadBalancerSettings(address=f"[{host}]:8080" if ":" in host else f"{host}:8080")}

    app.check_addresses(Settings(server=ServerSettings(host=host), load_balancers=balancers))


@pytest.mark.parametrize("address", ["0.0.0.0:80", ":80", "[::]:80", "192.0.2.1:80", "shop.example.org:80"])
def test_a_load_balancer_anywhere_but_on_loopback_is_refused(address: str) -> None:
    settings = Settings(load_balancers={"shop": LoadBalancerSettings(address=address)})

    with pytest.raises(Refused, match=r"load-balancers\.shop\.address"):
        app.check_addresses(settings)


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:port", "127.0.0.1:70000", "[::1:80"])
def test_an_address_that_is_none_is_refused_at_the_start(address: str) -> None:
    settings = Settings(load_balancers={"shop": LoadBalancerSettings(address=address)})

    with pytest.raises(Refused, match="form host:port"):
        app.check_addresses(settings)


def routed(**keys: str) -> Settings:
    balancer = LoadBalancerSettings(**{"provider": "gateway-api", "account": "prod", **keys})
    account = KubernetesAccountSettings(in_cluster=True, namespaces=("shop",))
    return Settings(load_balancers={"shop-prod": balancer}, kubernetes={"prod": account})


def test_a_route_in_a_cluster_may_be_reached_anywhere() -> None:
    app.check_addresses(routed(address="shop.example.org:443", namespace="shop"))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"account": "staging"}, "no such Kubernetes account"),
        ({"namespace": "other"}, "which the account prod may not use"),
        ({"address": "shop.example.org"}, "form host:port"),
    ],
)
def test_a_route_of_which_the_settings_say_nonsense_is_refused_at_the_start(keys: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        app.check_addresses(routed(**keys))


@pytest.mark.parametrize(
    "keys",
    [{"provider": "gateway-api"}, {"provider": "istio", "account": "prod"}, {"account": "prod"}, {"route": "shop"}],
)
def test_settings_of_a_load_balancer_that_contradict_one_another_are_refused(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"gateway-api needs|istio can't tell|not of caddy"):
        LoadBalancerSettings(**keys)


def test_the_server_and_the_registry_may_not_share_a_port() -> None:
    with pytest.raises(Refused, match=r"server\.port and registry\.port are both 5000"):
        app.check_addresses(Settings(server=ServerSettings(port=5000), registry=RegistrySettings(port=5000)))

    app.check_addresses(Settings(server=ServerSettings(port=0), registry=RegistrySettings(port=0)))


def test_no_two_stage_types_have_a_name_in_common() -> None:
    names = Counter(
        name for plugin in app.installed_plugins() for one in plugin.stages for name in {one.name, *one.aliases}
    )

    assert {name: count for name, count in names.items() if count > 1} == {}


_BEGINNING = """
import sys
from pathlib import Path
from gennaker import app
from gennaker.model import first_use
from gennaker.model.problems import Problem, Refused
from gennaker.settings import Settings

told = []
first_use.learn = lambda: told.append("learned")


def open_store(*args, **keys):
    told.append("opened")
    raise Refused(Problem(code="x", message="no further"))


app.opening.open_store = open_store
try:
    app.serve(Settings(), Path(sys.argv[1]), {})
except Refused:
    print(*told)
"""


@pytest.mark.slow
def test_records_are_made_ready_before_the_store_has_threads(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _BEGINNING, str(tmp_path / "data")]

    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)

    assert done.stdout.split() == ["learned", "opened"]
