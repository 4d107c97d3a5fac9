"""One suite for every engine of secrets: what whoever resolves a reference relies on."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.fakes.audit import MemoryAuditTrail
from tests.fakes.documents import MemoryStore
from tests.fakes.virtual_time import VirtualTime
from tests.harness import TESTER, CountingIds

from gennaker.access.keyring import Keyring
from gennaker.access.secrets import EnvironmentSecrets, FileSecrets
from gennaker.access.stored_secrets import SecretRules, StoredSecrets
from gennaker.interfaces.secrets import OF_SETTINGS, SecretEngine
from gennaker.model.problems import Refused

SUBJECTS: dict[str, type[SecretEngine]] = {"env": EnvironmentSecrets, "file": FileSecrets, "store": StoredSecrets}
VALUE = "something that nobody knows"
Bench = tuple[SecretEngine, Mapping[str, str], Mapping[str, str]]
"""An engine, what leads to VALUE there, and what leads nowhere."""


def env(_: Path) -> Bench:
    return EnvironmentSecrets({"KNOWN": VALUE, "EMPTY": ""}), {"n": "KNOWN"}, {"n": "EMPTY"}


def file(folder: Path) -> Bench:
    (folder / "known").write_text(f"{VALUE}\n")
    return FileSecrets(), {"f": str(folder / "known")}, {"f": str(folder / "unknown")}


def store(folder: Path) -> Bench:
    ids, time = CountingIds(), VirtualTime()
    engine = StoredSecrets(
        documents=MemoryStore()("secrets"),
        keyring=Keyring(folder / "secrets.key", ids.token),
        audit=MemoryAuditTrail(),
        clock=time,
        new_secret=ids.token,
        know=lambda _: None,
    )
    time.run(engine.set("known", VALUE, SecretRules(), by=TESTER))
    return engine, {"n": "known"}, {"n": "unknown"}


MADE: dict[str, Callable[[Path], Bench]] = {"env": env, "file": file, "store": store}


@pytest.fixture(params=SUBJECTS)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    return MADE[request.param](tmp_path)


def test_it_gives_what_is_there_each_time(bench: Bench) -> None:
    engine, known, _ = bench

    assert [asyncio.run(engine.read(known, OF_SETTINGS)) for _ in range(2)] == [VALUE] * 2


def test_what_is_not_there_is_refused_with_what_to_do(bench: Bench) -> None:
    engine, _, unknown = bench

    for parameters in (unknown, {}, {"x": "y"}):
        with pytest.raises(Refused) as refused:
            asyncio.run(engine.read(parameters, OF_SETTINGS))
        assert refused.value.problems[0].code.startswith("secret.")
        assert refused.value.problems[0].remedy
        assert VALUE not in str(refused.value)


def test_it_is_named_as_references_name_it(bench: Bench) -> None:
    engine, _, _ = bench

    assert MADE[engine.name]
