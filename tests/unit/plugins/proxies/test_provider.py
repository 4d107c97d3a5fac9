"""Load balancers that can't be served: what is wrong is said, and what to do."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.fakes.documents import MemoryStore

from gennaker.interfaces.clouds import Health
from gennaker.interfaces.routes import Routing
from gennaker.interfaces.traffic import Share
from gennaker.model.problems import Refused
from gennaker.plugins.proxies import provider as proxies
from gennaker.plugins.proxies.envoy import Envoy
from gennaker.plugins.proxies.haproxy import HAProxy
from gennaker.plugins.proxies.nginx import Nginx
from gennaker.plugins.proxies.program import ProxyProgram, Unanswered, Wanted
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


class Silent:
    """A program that lives, and doesn't answer."""

    name = "silent"
    wanted = Wanted(title="Silent", file="sleep", package="coreutils")
    routing = frozenset[Routing]()
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.answers = True
        self.has: tuple[str, ...] = ()

    def argv(self, executable: str, folder: Path) -> tuple[str, ...]:
        return (executable, "3600")

    def write(self, folder: Path, record: ProxyRecord) -> None:
        """It reads nothing."""

    async def apply(self, folder: Path, record: ProxyRecord, pid: int) -> None:
        if not self.answers:
            raise Unanswered("it sleeps")
        self.has = record.addresses

    async def in_flight(self, folder: Path, record: ProxyRecord, pid: int) -> Mapping[str, int | None]:
        if not self.answers:
            raise Unanswered("it sleeps")
        return {}

    async def states(self, folder: Path, record: ProxyRecord) -> Mapping[str, Health]:
        raise Unanswered("it sleeps")


@pytest.mark.slow
def test_shares_that_a_program_did_not_take_are_not_in_force_until_it_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxies, "_ANSWER_SECONDS", 0.0)
    program = Silent()
    shares = {"blue": Share(weight=1, addresses=("127.0.0.1:1",))}

    async def story(silent: ProxyProvider) -> None:
        await silent.ensure("shop")
        assert await silent.is_kept()
        program.answers = False
        with pytest.raises(Refused, match="Silent doesn't answer: it sleeps") as refused:
            await silent.in_flight("shop")
        assert refused.value.is_unavailable
        # As if it fell silent between the question what is under way and the switch.
        monkeypatch.setattr(program, "in_flight", _nothing_under_way)
        with pytest.raises(Refused, match="Silent doesn't answer: it sleeps") as refused:
            await silent.set_weights("shop", shares)
        assert refused.value.is_unavailable
        described = await silent.describe("shop")
        assert described is not None
        assert (described.shares, described.is_in_force, await silent.is_kept()) == (shares, False, False)

        program.answers = True
        await silent.set_weights("shop", shares)

        described = await silent.describe("shop")
        assert described is not None
        assert (described.is_in_force, await silent.is_kept()) == (True, True)
        assert program.has == ("127.0.0.1:1",)

    async def main() -> None:
        silent = ProxyProvider(
            program=program, documents=MemoryStore()("proxies"), folder=tmp_path, configured={}, executable="sleep"
        )
        try:
            await story(silent)
        finally:
            await silent.close()

    asyncio.run(main())


async def _nothing_under_way(*_: object) -> Mapping[str, int | None]:
    return {}


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
