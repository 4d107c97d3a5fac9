"""Secrets: how they are referred to, who may use them, that the database alone is worth nothing, and what is masked."""

import asyncio
import base64
import json
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pytest
from tests.fakes.audit import MemoryAuditTrail
from tests.fakes.documents import MemoryStore
from tests.fakes.virtual_time import VirtualTime
from tests.harness import TESTER, CountingIds

from gennaker.access.keyring import Keyring
from gennaker.access.masking import Masker
from gennaker.access.secrets import EnvironmentSecrets, FileSecrets, ResolvedSecrets
from gennaker.access.stored_secrets import SecretRules, StoredSecrets
from gennaker.interfaces.documents import Document
from gennaker.interfaces.secrets import OF_SETTINGS, SecretUse
from gennaker.model.codec import Json, JsonObject, encode
from gennaker.model.event import Done, Failed, TaskReported
from gennaker.model.problems import Problem, Refused

SHOP = SecretUse(application="Shop", host="hub.example")
HUB = "the hub's password"
Result = TypeVar("Result")


class Bench:
    """A store of secrets and what resolves references to it."""

    def __init__(self, folder: Path) -> None:
        self.key_file = folder / "secrets.key"
        self.audit = MemoryAuditTrail()
        self.documents = MemoryStore(self.audit)("secrets")
        self._ids, self._time = CountingIds(), VirtualTime()
        self.start()

    def start(self) -> None:
        """Another process over the same store."""
        masker = Masker()
        self.stored = StoredSecrets(
            documents=self.documents,
            keyring=Keyring(self.key_file, self._ids.token),
            audit=self.audit,
            clock=self._time,
            new_secret=self._ids.token,
            know=masker.know,
        )
        self.secrets = ResolvedSecrets(masker)
        self.secrets.offer((self.stored, FileSecrets(), EnvironmentSecrets({"HUB": HUB, "SHORT": "1234567"})))

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._time.run(work)

    def set(self, name: str = "hub", value: str = HUB, *applications: str, hosts: tuple[str, ...] = ()) -> None:
        rules = SecretRules(applications=applications or ("shop",), hosts=hosts)
        self.do(self.stored.set(name, value, rules, by=TESTER))

    def fill(self, value: Json, use: SecretUse = SHOP) -> Json:
        return self.do(self.secrets.fill(value, use))

    def refusal(self, value: Json, use: SecretUse = SHOP) -> str:
        with pytest.raises(Refused) as refused:
            self.fill(value, use)
        return refused.value.problems[0].code

    def body(self, name: str) -> JsonObject:
        found = self.do(self.documents.get(name))
        assert found is not None
        return found.body


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "encrypted:store!n:hub",
        "secret://store?n=hub",
        "secret://store?n=HUB",
        "Bearer secret://store?n=hub",
        '{"a": "encrypted:store!n:hub", "b": 1}',
        "encrypted:store!n:hub and encrypted:store!n:hub",
    ],
)
def test_references_are_found_wherever_they_stand(bench: Bench, text: str) -> None:
    bench.set()

    expected = text
    for reference in ("encrypted:store!n:hub", "secret://store?n=hub", "secret://store?n=HUB"):
        expected = expected.replace(reference, HUB)
    assert bench.fill([{"x": text}, 1, None]) == [{"x": expected}, 1, None]


def test_what_a_secret_says_is_no_reference(bench: Bench) -> None:
    bench.set("outer", "see encrypted:store!n:hub")

    assert bench.fill("encrypted:store!n:outer") == "see encrypted:store!n:hub"


def test_pipelines_use_only_what_is_kept_for_them(bench: Bench, tmp_path: Path) -> None:
    bench.set(hosts=("hub.example",))
    (tmp_path / "f").write_text(HUB)
    reference = "encrypted:store!n:hub"

    assert bench.fill(reference) == HUB
    assert bench.fill(reference, OF_SETTINGS) == HUB
    assert bench.fill(reference, SecretUse(application="shop")) == HUB, "it stays in a job"
    assert bench.refusal(reference, SecretUse(application="other")) == "secret.not_for_application"
    assert bench.refusal(reference, SecretUse(application="")) == "secret.not_for_application"
    assert bench.refusal(reference, SecretUse(application="shop", host="evil.example")) == "secret.not_for_host"
    for elsewhere in (f"secret://file?f={tmp_path / 'f'}", "secret://env?n=HUB"):
        assert bench.refusal(elsewhere) == "secret.settings_only"
        assert bench.fill(elsewhere, OF_SETTINGS) == HUB


def test_what_cannot_be_resolved_is_refused(bench: Bench) -> None:
    assert bench.refusal("encrypted:store!n:hub") == "secret.unknown"
    assert bench.refusal("encrypted:store!n:../x") == "secret.unknown"
    assert bench.refusal("encrypted:vault!e:kv!n:a!k:b", OF_SETTINGS) == "secret.no_engine"
    assert bench.refusal("encryptedFile:s3!b:x", OF_SETTINGS) == "secret.file"
    assert bench.refusal("secret://env?n=SHORT", OF_SETTINGS) == "secret.length"


@pytest.mark.parametrize(("name", "value"), [("a b", HUB), ("", HUB), ("hub", "short"), ("hub", "x" * 100_000)])
def test_names_and_values_that_cannot_be_kept_are_refused(bench: Bench, name: str, value: str) -> None:
    with pytest.raises(Refused) as refused:
        bench.set(name, value)

    assert value not in str(refused.value)
    assert not bench.key_file.exists()


def test_the_database_alone_is_worth_nothing_and_its_keys_are_private(bench: Bench) -> None:
    bench.set()

    kept = encode(bench.body("hub"))
    assert HUB.encode() not in kept
    assert base64.b64encode(HUB.encode()) not in kept
    assert bench.key_file.stat().st_mode & 0o077 == 0
    bench.key_file.unlink()
    assert bench.refusal("encrypted:store!n:hub") == "secret.unopened"


def test_whoever_writes_the_database_cannot_widen_its_use_or_exchange_values(bench: Bench) -> None:
    bench.set("hub", HUB)
    bench.set("other", "another password", "other")
    own, other = bench.body("hub"), bench.body("other")
    rules = {**own, "rules": {"applications": ["other", "shop"], "hosts": []}}

    for name, forged in (
        ("hub", rules),
        ("hub", {**own, "sealed": other["sealed"]}),
        ("hub", {**own, "sealed": "AA=="}),
    ):
        bench.do(bench.documents.put(name, forged))
        assert bench.refusal("encrypted:store!n:hub") == "secret.unopened"


def test_rotation_seals_everything_anew_and_drops_the_old_key(bench: Bench) -> None:
    bench.set("hub", HUB)
    bench.set("other", "another password")
    before, old = bench.body("hub"), bench.key_file.read_text()

    assert bench.do(bench.stored.rotate(by=TESTER)) == 2

    new = bench.key_file.read_text()
    assert (len(new.split()), new == old) == (1, False)
    assert bench.body("hub")["sealed"] != before["sealed"]
    assert bench.fill("encrypted:store!n:hub") == HUB
    bench.do(bench.documents.put("hub", before))
    assert bench.refusal("encrypted:store!n:hub") == "secret.unopened", "the older key is gone"


def test_a_rotation_that_was_cut_off_loses_nothing_and_is_done_again(bench: Bench) -> None:
    bench.set("hub", HUB)
    bench.set("other", "another password")
    put, count = bench.documents.put, 0

    async def dying(key: str, body: JsonObject, *, if_version: int | None = None) -> Document:
        nonlocal count
        count += 1
        if count == 2:
            raise KeyboardInterrupt
        return await put(key, body, if_version=if_version)

    bench.documents.put = dying  # type: ignore[method-assign]  # the process dies at the second
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(bench.stored.rotate(by=TESTER))
    bench.documents.put = put  # type: ignore[method-assign]  # and lives again
    bench.start()

    assert bench.fill(["encrypted:store!n:hub", "encrypted:store!n:other"]) == [HUB, "another password"]
    assert bench.do(bench.stored.rotate(by=TESTER)) == 2
    assert len(bench.key_file.read_text().split()) == 1
    assert bench.fill("encrypted:store!n:other") == "another password"


def test_changes_are_audited_without_values(bench: Bench) -> None:
    bench.set()
    bench.set("hub", "a new password")
    bench.do(bench.stored.rotate(by=TESTER))
    bench.do(bench.stored.remove("hub", by=TESTER))

    records = bench.do(bench.audit.records())
    actions = [one.entry.action for one in records]
    assert sorted(actions) == ["secret.added", "secret.changed", "secret.removed", "secret.rotated"]
    assert "password" not in encode(records).decode()
    assert bench.refusal("encrypted:store!n:hub") == "secret.unknown"


def test_a_new_process_masks_all_that_is_kept_before_anybody_asks_for_it(bench: Bench) -> None:
    bench.set()
    bench.start()
    assert bench.secrets.masked_text(f"it is {HUB}") == f"it is {HUB}"

    bench.do(bench.stored.know_all())

    assert bench.secrets.masked_text(f"it is {HUB}") == "it is ****"


def test_a_lost_key_keeps_no_server_from_starting_and_its_secrets_can_be_set_anew_or_removed(bench: Bench) -> None:
    bench.set("hub", HUB)
    bench.set("other", "another password")
    bench.key_file.unlink()
    bench.start()

    bench.do(bench.stored.know_all())
    bench.set("hub", HUB)
    bench.do(bench.stored.remove("other", by=TESTER))

    assert bench.fill("encrypted:store!n:hub") == HUB
    assert bench.do(bench.stored.rotate(by=TESTER)) == 1


def test_two_servers_that_need_the_first_key_make_one(tmp_path: Path) -> None:
    ids = CountingIds()
    rings = [Keyring(tmp_path / "secrets.key", ids.token) for _ in range(8)]

    with ThreadPoolExecutor(len(rings)) as threads:
        found = set(threads.map(Keyring.newest, rings))

    assert len(found) == 1


@pytest.mark.parametrize("secret", ["plain-password", 'with "quotes" & ümlaut/+', "first line here\nsecond line here"])
def test_all_spellings_are_masked_and_nothing_else_is(secret: str) -> None:
    masker = Masker()
    masker.know(secret)
    raw = secret.encode()
    spelled = [
        secret,
        json.dumps(secret),
        quote(secret),
        quote(secret, safe=""),
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        *secret.splitlines(),
    ]

    for one in spelled:
        assert one.strip('"') not in masker.masked_text(f"<{one}>")
        assert "****" in masker.masked_text(f"<{one}>")
    assert masker.masked_bytes(b"\xff" + raw + b"\xff") == b"\xff****\xff"
    assert masker.masked_text("an innocent text") == "an innocent text"


def test_records_are_masked_as_a_whole_and_stay_what_they_are() -> None:
    masker = Masker()
    at = datetime(2026, 1, 5, tzinfo=UTC)
    clean = TaskReported(at=at, key="k", stage_id="s", task_id="1", result=Done(outputs={"n": 1}))
    failed = Failed(problem=Problem(code="x", message=f"said {HUB}"), outputs={HUB: [HUB, {"a": f"-{HUB}-"}, 1, None]})
    masker.know(HUB)

    assert masker.masked(clean) is clean
    assert masker.masked(TaskReported(at=at, key="k", stage_id="s", task_id="1", result=failed)) == TaskReported(
        at=at,
        key="k",
        stage_id="s",
        task_id="1",
        result=Failed(
            problem=Problem(code="x", message="said ****"), outputs={"****": ["****", {"a": "-****-"}, 1, None]}
        ),
    )
