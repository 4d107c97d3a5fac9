"""The image store: nothing half-made is visible, whoever dies when; no pushed tag is lost or told twice."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from tests import waiting
from tests.registry_servers import AT, database_of, image_store, images_of

from gennaker.interfaces.registry import TagEvent
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.store.audit import DatabaseAuditTrail
from gennaker.store.images import DatabaseImageStore, Swept, blob_folder
from gennaker.store.tag_policy import TagPolicy
from gennaker.transport import tls

ADA = Principal(name="ada", via="registry")
CONFIG = b'{"architecture":"amd64","os":"linux"}'


class Listening:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    async def tag_pushed(self, event: TagEvent) -> None:
        self.told.append((event.tag, event.digest))


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def manifest_of(*layers: bytes, **more: object) -> bytes:
    described = [{"mediaType": "x", "digest": sha256(blob), "size": len(blob)} for blob in (CONFIG, *layers)]
    return json.dumps({"schemaVersion": 2, "config": described[0], "layers": described[1:], **more}).encode()


async def chunks(*content: bytes) -> AsyncIterator[bytes]:
    for chunk in content:
        yield chunk


async def put_blob(store: DatabaseImageStore, content: bytes, repository: str = "shop") -> str:
    upload = await store.begin_upload(repository)
    await store.append(repository, upload, chunks(content), offset=None)
    return (await store.finish_upload(repository, upload, sha256(content))).digest


async def push(store: DatabaseImageStore, tag: str, *layers: bytes, repository: str = "shop") -> str:
    for blob in (CONFIG, *layers):
        await put_blob(store, blob, repository)
    stored = await store.put_manifest(repository, tag, media_type="", body=manifest_of(*layers), by=ADA)
    return stored.digest


def files(folder: Path) -> set[str]:
    return {path.name for path in blob_folder(folder).rglob("*") if path.is_file()}


@pytest.fixture(params=["", pytest.param("postgres_url", marks=pytest.mark.debian)], ids=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseImageStore]:
    """An image store in a fresh data folder, its rows in either database."""
    url = request.getfixturevalue(request.param) if request.param else ""
    with image_store(tmp_path, url=url) as opened:
        yield opened


def test_tells_of_a_tag_once(tmp_path: Path) -> None:
    listening = Listening()

    async def check(store: DatabaseImageStore) -> tuple[TagEvent, ...]:
        first = await push(store, "1.0", b"a")
        await push(store, "1.0", b"a")
        assert await store.delete_manifest("shop", "1.0", by=ADA)
        await push(store, "1.0", b"a")
        second = await push(store, "latest", b"b")
        third = await push(store, "latest", b"c")
        fourth = await push(store, "latest", b"b")
        assert listening.told == [("1.0", first), ("latest", second), ("latest", third), ("latest", fourth)]
        return await store.tag_events(after=0)

    with image_store(tmp_path, listener=listening) as opened:
        events = asyncio.run(check(opened))
    with image_store(tmp_path, life=2) as opened:
        again = asyncio.run(opened.tag_events(after=0))
        later = asyncio.run(opened.tag_events(after=events[1].sequence))

    assert [(event.tag, event.digest) for event in events] == listening.told
    assert again == events
    assert later == events[2:]


def test_a_refused_tag_changes_nothing(store: DatabaseImageStore) -> None:
    async def check() -> None:
        first = await push(store, "1.0", b"a")
        with pytest.raises(Refused, match="can't be given"):
            await push(store, "1.0", b"b")
        found = await store.manifest("shop", "1.0")
        assert found is not None
        assert found.digest == first
        # The manifest came in the same transaction as the tag.
        assert await store.manifest("shop", sha256(manifest_of(b"b"))) is None
        assert len(await store.tag_events(after=0)) == 1

    asyncio.run(check())


def test_names_every_blob_that_is_missing(store: DatabaseImageStore) -> None:
    async def check() -> None:
        with pytest.raises(Refused) as refused:
            await store.put_manifest("shop", "1.0", media_type="", body=manifest_of(b"a"), by=ADA)
        missing = {problem.details["digest"] for problem in refused.value.problems}
        assert missing == {sha256(CONFIG), sha256(b"a")}

    asyncio.run(check())


def test_an_upload_goes_on_after_a_restart(tmp_path: Path) -> None:
    async def begin(store: DatabaseImageStore) -> str:
        upload = await store.begin_upload("shop")
        await store.append("shop", upload, chunks(b"01", b"234"), offset=0)
        return upload

    async def go_on(store: DatabaseImageStore, upload: str) -> None:
        assert await store.upload_size("shop", upload) == 5
        await store.append("shop", upload, chunks(b"56789"), offset=5)
        await store.finish_upload("shop", upload, sha256(b"0123456789"))

    with image_store(tmp_path) as opened:
        upload = asyncio.run(begin(opened))
    with image_store(tmp_path, life=2) as opened:
        asyncio.run(go_on(opened, upload))
        blob = asyncio.run(opened.blob("shop", sha256(b"0123456789")))

    assert blob is not None
    assert blob.size_bytes == 10


def test_two_cannot_send_to_one_upload_at_once(store: DatabaseImageStore) -> None:
    async def check() -> None:
        upload = await store.begin_upload("shop")
        began, may_end = asyncio.Event(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            began.set()
            await may_end.wait()
            yield b"slow"

        async with asyncio.TaskGroup() as group:
            first = group.create_task(store.append("shop", upload, slowly(), offset=None))
            await began.wait()
            with pytest.raises(Refused, match="still being sent"):
                await store.append("shop", upload, chunks(b"x"), offset=None)
            with pytest.raises(Refused, match="still being sent"):
                await store.finish_upload("shop", upload, sha256(b""))
            may_end.set()
        assert first.result() == 4

    asyncio.run(check())


def test_a_blob_that_is_too_large_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    async def check(store: DatabaseImageStore) -> None:
        upload = await store.begin_upload("shop")
        with pytest.raises(Refused, match="larger than 10 bytes"):
            await store.append("shop", upload, chunks(b"x" * 20), offset=None)

    with image_store(tmp_path, limit_bytes=10) as opened:
        asyncio.run(check(opened))

    assert files(tmp_path) == set()


def test_a_digest_of_another_kind_is_refused_and_nothing_is_kept(store: DatabaseImageStore, tmp_path: Path) -> None:
    async def check() -> None:
        upload = await store.begin_upload("shop")
        with pytest.raises(Refused, match="no SHA-256 digest"):
            await store.finish_upload("shop", upload, "sha512:" + "0" * 128)

    asyncio.run(check())

    assert files(tmp_path) == set()


def test_sweeps_what_nobody_refers_to_and_only_when_it_is_old(store: DatabaseImageStore, tmp_path: Path) -> None:
    async def check() -> None:
        kept = await put_blob(store, b"kept")
        gone = await put_blob(store, b"gone")
        await store.begin_upload("shop")
        await store.delete_blob("shop", gone, by=ADA)
        assert await store.sweep(AT - timedelta(days=3650)) == Swept(uploads=0, blobs=0)
        assert await store.sweep(AT + timedelta(days=36500)) == Swept(uploads=1, blobs=1)
        assert files(tmp_path) == {kept.removeprefix("sha256:")}

    asyncio.run(check())


def test_a_mounted_blob_outlives_its_source(store: DatabaseImageStore) -> None:
    async def check() -> None:
        digest = await put_blob(store, b"shared", "one")
        assert await store.mount_blob(digest, repository="two", source="one")
        await store.delete_blob("one", digest, by=ADA)
        await store.sweep(AT + timedelta(days=36500))
        assert [chunk async for chunk in store.read_blob(digest, start=0, end=6)] == [b"shared"]
        assert await store.blob("one", digest) is None

    asyncio.run(check())


SERVER = """
import sys
from pathlib import Path
from tests.registry_servers import own_registry
with own_registry(Path(sys.argv[1]), life=int(sys.argv[2])) as host:
    print(host, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def server_process(folder: Path, life: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A registry in a process of its own."""
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(folder), str(life)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": f"{root}:{root / 'src'}", "PATH": os.defpath},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        host = next(line for line in process.stdout if line.startswith("127.0.0.1:")).strip()
        yield process, host
    finally:
        process.stdin.close()
        process.wait(timeout=600)
        process.stdout.close()


def push_over_http(host: str, number: int) -> str:
    """Pushes image number so-and-so; gives its tag. Raises httpx2.HTTPError when the server dies."""
    layer = f"layer {number} ".encode() * 20_000
    with httpx2.Client(base_url=f"http://{host}", trust_env=False, verify=tls.trusted(), timeout=600) as http:
        for blob in (CONFIG, layer):
            begun = http.post("/v2/shop/blobs/uploads/")
            half = http.patch(begun.headers["location"], content=blob[: len(blob) // 2])
            http.put(
                half.headers["location"], params={"digest": sha256(blob)}, content=blob[len(blob) // 2 :]
            ).raise_for_status()
        http.put(f"/v2/shop/manifests/1.{number}", content=manifest_of(layer)).raise_for_status()
    return f"1.{number}"


def check_all(host: str, acknowledged: list[str], folder: Path) -> None:
    """Whatever is visible is whole, and whatever was acknowledged is visible."""
    with httpx2.Client(base_url=f"http://{host}", trust_env=False, verify=tls.trusted(), timeout=600) as http:
        answer = http.get("/v2/shop/tags/list")
        tags = answer.json()["tags"] if answer.status_code == 200 else []
        assert set(acknowledged) <= set(tags)
        for tag in tags:
            manifest = http.get(f"/v2/shop/manifests/{tag}")
            assert sha256(manifest.content) == manifest.headers["docker-content-digest"]
            for blob in (manifest.json()["config"], *manifest.json()["layers"]):
                assert sha256(http.get(f"/v2/shop/blobs/{blob['digest']}").content) == blob["digest"]
    for path in (blob_folder(folder) / "sha256").rglob("*"):
        if path.is_file():
            assert sha256(path.read_bytes()) == f"sha256:{path.name}"


@pytest.mark.slow
def test_a_killed_server_leaves_nothing_half_made(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    number = 0
    for life, delay in enumerate((0.02, 0.05, 0.09, 0.14, 0.22, 0.31), start=1):
        with server_process(tmp_path, life) as (process, host):
            check_all(host, acknowledged, tmp_path)
            if life > 3:  # however slow the machine is, some pushes are acknowledged
                number += 1
                acknowledged.append(push_over_http(host, number))
            killer = threading.Timer(delay, process.send_signal, [signal.SIGKILL])
            killer.start()
            with contextlib.suppress(httpx2.HTTPError):
                while True:
                    number += 1
                    acknowledged.append(push_over_http(host, number))
            waiting.joined(killer)
    with server_process(tmp_path, 7) as (_, host):
        check_all(host, acknowledged, tmp_path)
    with database_of(tmp_path) as database:
        events = [event.tag for event in asyncio.run(images_of(database).tag_events(after=0))]
        trail = DatabaseAuditTrail(database)
        recorded = [record.entry for record in asyncio.run(trail.records(limit=10_000))]
        assert asyncio.run(trail.verify()).is_intact

    assert acknowledged
    assert set(acknowledged) <= set(events)
    assert len(events) == len(set(events))
    assert [entry.subject for entry in recorded if entry.action == "image.tagged"] == [
        f"image:shop:{tag}" for tag in events
    ]


@pytest.mark.parametrize(
    ("tag", "is_immutable"),
    [
        ("1.0", True),
        ("latest", False),
        ("latest-1", True),
        ("feature-x", False),
        ("main", False),
        ("MAIN", True),
        ("a*", True),
    ],
)
def test_all_tags_are_immutable_but_those_that_are_named(tag: str, is_immutable: bool) -> None:
    assert TagPolicy.all_but(("latest", "main", "feature-*")).is_immutable(tag) is is_immutable


def test_without_exceptions_every_tag_is_immutable() -> None:
    assert TagPolicy.all_but(()).is_immutable("latest")
