"""Load balancers that can't be served: what is wrong is said, and what to do."""

import asyncio
from pathlib import Path

import pytest
from tests.fakes.documents import MemoryStore

from gennaker.interfaces.traffic import Share
from gennaker.model.problems import Refused
from gennaker.plugins.proxies.envoy import Envoy
from gennaker.plugins.proxies.haproxy import HAProxy
from gennaker.plugins.proxies.nginx import Nginx
from gennaker.plugins.proxies.program import ProxyProgram
from gennaker.plugins.proxies.provider import ProxyProvider
from gennaker.plugins.proxies.records import ProxyRecord
from gennaker.plugins.proxies.traefik import Traefik

NOWHERE = "/nowhere/at/all"


def provider(folder: Path, program: ProxyProgram) -> ProxyProvider:
    documents = MemoryStore()("proxies")
    return ProxyProvider(program=program, documents=documents, folder=folder, configured={}, executable=NOWHERE)


@pytest.mark.parametrize(
    ("program", "title"), [(HAProxy(), "HAProxy"), (Envoy(), "Envoy"), (Nginx(), "nginx"), (Traefik(), "Traefik")]
)
def test_a_program_of_the_settings_that_does_not_exist_is_named(
    program: ProxyProgram, title: str, tmp_path: Path
) -> None:
    with pytest.raises(Refused) as refused:
        asyncio.run(provider(tmp_path, program).ensure("shop"))

    (problem,) = refused.value.problems
    assert str(problem) == (
        f"The program '{NOWHERE}' of the setting traffic.programs.{program.name} doesn't exist. "
        f"Correct the setting, or remove it to use the {title} that is installed."
    )


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        ("../shop", None, "can't be the name of a load balancer"),
        ("shop", "127.0.0.1", "is not of the form host:port"),
        ("shop", "127.0.0.1:http", "is not of the form host:port"),
    ],
)
def test_names_and_addresses_that_cannot_be_are_refused(
    name: str, address: str | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match=said):
        asyncio.run(provider(tmp_path, HAProxy()).ensure(name, address))


def test_weights_are_exact_up_to_the_largest_and_near_beyond() -> None:
    def weights(*weighted: int) -> dict[str, int]:
        shares = {f"g{one}": Share(weight=weight, addresses=(f"a{one}",)) for one, weight in enumerate(weighted)}
        return ProxyRecord(name="shop", address="127.0.0.1:1", shares=shares).weights(256)

    assert weights(800, 100, 100) == {"a0": 8, "a1": 1, "a2": 1}
    assert weights(997, 1, 0) == {"a0": 255, "a1": 1}
    assert weights(0) == {}
