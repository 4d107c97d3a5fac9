"""Credentials: tokens, files that are rotated, and exec plugins, which are real programs here."""

import asyncio
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gennaker.interfaces.api_servers import ApiUnavailable
from gennaker.model.problems import Refused
from gennaker.transport.kubernetes.credentials import Credential, Credentials, secured
from gennaker.transport.kubernetes.kubeconfig import Access, ExecPlugin, User

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def of(user: User, *, at: datetime = NOW) -> Credentials:
    access = Access(server="https://api", authority=b"ca", user=user)
    return Credentials(access, now=lambda: at)


def plugin(folder: Path, body: str, **fields: object) -> User:
    """A program of the shell, which counts its runs."""
    program = folder / "plugin"
    program.write_text(f"#!/bin/sh\necho run >> {folder}/runs\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    made = ExecPlugin(api_version="client.authentication.k8s.io/v1", command=str(program), **fields)  # type: ignore[arg-type]  # its own fields
    return User(plugin=made)


def printing(status: dict[str, str]) -> str:
    return f"echo '{json.dumps({'kind': 'ExecCredential', 'status': status})}'"


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text().splitlines())


@pytest.mark.parametrize(
    ("user", "authorization"),
    [
        (User(token="t"), "Bearer t"),
        (User(username="ada", password="pw"), "Basic YWRhOnB3"),
        (User(), ""),
    ],
)
def test_what_the_kubeconfig_has_goes_with_each_request(user: User, authorization: str) -> None:
    assert asyncio.run(of(user).current()) == Credential(authorization=authorization)


def test_a_token_that_was_refused_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")

    async def main() -> list[str]:
        credentials = of(User(token_file=file))
        first = await credentials.current()
        file.write_text("new\n")
        kept = await credentials.current()
        renewed = await credentials.current(refused=kept)
        return [first.authorization, kept.authorization, renewed.authorization]

    assert asyncio.run(main()) == ["Bearer old", "Bearer old", "Bearer new"]


def test_a_plugin_is_run_once_until_its_credential_expires(tmp_path: Path) -> None:
    user = plugin(tmp_path, printing({"token": "t", "expirationTimestamp": "2026-01-01T00:10:00Z"}))

    async def main() -> None:
        at = NOW
        credentials = Credentials(Access(server="https://api", user=user), now=lambda: at)
        for _ in range(3):
            assert (await credentials.current()).authorization == "Bearer t"
        assert runs(tmp_path) == 1
        at = NOW + timedelta(minutes=9, seconds=30)
        await credentials.current()
        assert runs(tmp_path) == 2

    asyncio.run(main())


def test_a_plugin_is_told_for_which_cluster_it_is(tmp_path: Path) -> None:
    body = f'printf %s "$KUBERNETES_EXEC_INFO" > {tmp_path}/told; [ "$REGION" = eu ] || exit 1; ' + printing(
        {"token": "t"}
    )

    asyncio.run(of(plugin(tmp_path, body, gets_cluster=True, environment={"REGION": "eu"})).current())

    told = json.loads((tmp_path / "told").read_text())
    assert told["spec"] == {
        "interactive": False,
        "cluster": {"server": "https://api", "insecure-skip-tls-verify": False, "certificate-authority-data": "Y2E="},
    }


def test_a_plugin_that_fails_may_do_better_later(tmp_path: Path) -> None:
    with pytest.raises(ApiUnavailable, match="not signed in"):
        asyncio.run(of(plugin(tmp_path, "echo not signed in >&2; exit 3")).current())


@pytest.mark.parametrize("body", ["echo hello", "echo '{}'", printing({"expirationTimestamp": "soon", "token": "t"})])
def test_a_plugin_that_prints_something_else_is_named(tmp_path: Path, body: str) -> None:
    with pytest.raises(Refused, match="ExecCredential"):
        asyncio.run(of(plugin(tmp_path, body)).current())


def test_a_plugin_that_is_not_there_says_how_to_get_it() -> None:
    missing = ExecPlugin(
        api_version="client.authentication.k8s.io/v1", command="/gone", install_hint="Install the tool."
    )

    with pytest.raises(Refused, match="Install the tool"):
        asyncio.run(of(User(plugin=missing)).current())


def test_certificates_that_are_none_are_named() -> None:
    with pytest.raises(Refused, match="certificate"):
        secured(Access(server="https://api"), Credential(certificate=b"nonsense", key=b"nonsense"))
