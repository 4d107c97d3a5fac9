"""Signed heads in a real registry: each under its number, and the newest is found again."""

import asyncio
from pathlib import Path

import pytest
from tests.registry_servers import own_registry

from gennaker.model.problems import Refused
from gennaker.plugins.oci import audit_heads
from gennaker.plugins.oci.client import RegistryClient
from gennaker.plugins.oci.session import RegistryAccount
from gennaker.settings import AuditSettings


@pytest.mark.slow
def test_heads_are_kept_under_their_numbers_and_the_newest_is_found(tmp_path: Path) -> None:
    async def work(host: str) -> None:
        settings = AuditSettings(registry=f"http://{host}/audit/heads")
        async with audit_heads.opened(settings) as place:
            assert place is not None
            assert (place.name, await place.newest()) == (f"{host}/audit/heads", None)
            for number in (9, 10, 10, 2):
                await place.keep(number, f"head {number}".encode())
            assert await place.newest() == b"head 10"
        client = RegistryClient(RegistryAccount(name="x", address=f"http://{host}"))
        assert sorted(await client.tags("audit/heads")) == [f"head-{number:012d}" for number in (2, 9, 10)]
        await client.close()

    with own_registry(tmp_path / "data") as host:
        asyncio.run(work(host))


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        (AuditSettings(registry="registry.example.com/heads"), "audit.registry"),
        (AuditSettings(registry="https://registry.example.com"), "audit.registry"),
        (AuditSettings(registry="https://u:p@registry.example.com/heads"), "audit.registry"),
        (
            AuditSettings(registry="https://x/heads", registry_user="u", registry_password_file="/nonexistent/p"),
            "audit.registry_password",
        ),
    ],
)
def test_settings_that_name_no_place_are_refused(settings: AuditSettings, code: str) -> None:
    async def work() -> None:
        async with audit_heads.opened(settings):
            raise AssertionError("it was opened")

    with pytest.raises(Refused) as refused:
        asyncio.run(work())
    assert refused.value.problems[0].code == code


def test_without_a_setting_there_is_no_place() -> None:
    async def work() -> None:
        async with audit_heads.opened(AuditSettings()) as place:
            assert place is None

    asyncio.run(work())
