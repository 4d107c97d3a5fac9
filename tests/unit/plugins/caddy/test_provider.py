"""What Caddy doesn't take is known not to be in force, and is told again."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests import waiting
from tests.fakes.documents import MemoryStore

from gennaker.interfaces.traffic import Share, Shares
from gennaker.model.codec import JsonObject
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.plugins.caddy import configuration, provider
from gennaker.plugins.caddy.provider import CaddyProvider
from gennaker.plugins.caddy.records import ProgramRecord
from gennaker.settings import LoadBalancerSettings

BLUE: Shares = {"blue": Share(weight=1, addresses=("127.0.0.1:1",))}
BOTH: Shares = {**BLUE, "green": Share(weight=2, addresses=tuple(f"127.0.0.1:{port}" for port in range(1000, 1130)))}
"""For so many there is no room in what Caddy knows."""


class FakeProgram:
    """A Caddy whose admin API doesn't answer for some times."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.silent = 0
        self.told = 0
        self.has_taken: JsonObject = {}

    async def record(self) -> ProgramRecord:
        return ProgramRecord(admin_port=2019, run=1)

    async def run(self, render: Callable[[int], JsonObject]) -> ProgramRecord:
        self.told += 1
        if self.silent > 0:
            self.silent -= 1
            raise Refused(Problem(code="p", message="Not now."), status=UNAVAILABLE)
        self.has_taken = render(2019)
        return await self.record()

    async def is_running(self) -> bool:
        return True

    async def requests_under_way(self) -> dict[str, int]:
        return {}


def a_provider(program: FakeProgram, **addresses: str) -> CaddyProvider:
    return CaddyProvider(
        documents=MemoryStore()("caddy.load-balancers"),
        program=program,  # type: ignore[arg-type]  # what isn't asked for isn't there
        configured={name: LoadBalancerSettings(address=address) for name, address in addresses.items()},
    )


def test_shares_that_caddy_did_not_take_are_not_in_force_until_it_takes_them(tmp_path: Path) -> None:
    async def story() -> None:
        program = FakeProgram(tmp_path)
        caddy = a_provider(program)
        await caddy.ensure("shop")
        await caddy.set_weights("shop", BLUE)
        bank = tmp_path / configuration.bank_file("shop")
        before, taken = bank.read_text(), program.has_taken
        assert await caddy.is_kept()

        program.silent = 2
        for _ in range(2):
            with pytest.raises(Refused, match="Not now"):
                await caddy.set_weights("shop", BOTH)
            described = await caddy.describe("shop")
            assert described is not None
            assert (described.shares, described.is_in_force) == (BOTH, False)
            assert not await caddy.is_kept()
            assert (bank.read_text(), program.has_taken) == (before, taken)

        await caddy.set_weights("shop", BOTH)

        described = await caddy.describe("shop")
        assert described is not None
        assert described.is_in_force
        assert await caddy.is_kept()
        assert bank.read_text() != before
        assert program.has_taken != taken

    asyncio.run(story())


def test_one_of_the_settings_that_cannot_be_served_holds_up_no_other(tmp_path: Path) -> None:
    async def story() -> None:
        program = FakeProgram(tmp_path)
        caddy = a_provider(program, bad="nowhere", shop="")

        with pytest.raises(Refused, match="is not of the form host:port"):
            await caddy.reconcile()

        assert await caddy.describe("shop") is not None
        assert program.told == 1

    asyncio.run(story())


def test_a_caddy_that_does_not_answer_does_not_end_its_keeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "_KEEP_SECONDS", 0.01)

    async def story() -> None:
        program = FakeProgram(tmp_path)
        program.silent = 3
        caddy = a_provider(program, shop="")
        services = SimpleNamespace(traffic={"caddy": caddy})
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(provider.keep(services))  # type: ignore[arg-type]  # what isn't asked for isn't there
            await waiting.until(lambda: bool(program.has_taken), "Caddy to be told")
            keeping.cancel()
        assert program.told == 4

    asyncio.run(waiting.with_an_end(story()))
