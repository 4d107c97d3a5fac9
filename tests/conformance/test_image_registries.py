"""One suite for every image registry as its clients see it: what builder, poller and cloud providers rely on."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.building import FreshClients
from tests.conformance import subjects
from tests.fakes.registry import MemoryRegistry
from tests.registry_servers import debian_registry, own_registry

from gennaker.interfaces.registry import ImageRegistry, RunConfig
from gennaker.model.problems import Refused
from gennaker.plugins.oci.client import RegistryClient
from gennaker.plugins.oci.session import RegistryAccount
from gennaker.transport.images import building, manifests, unpacking
from gennaker.transport.images import layout as layouts
from gennaker.transport.images.building import BuildRequest

SUBJECTS: dict[str, type[ImageRegistry]] = {
    "client": RegistryClient,
    "client of Debian's registry": RegistryClient,
    "fresh clients": FreshClients,
    "memory": MemoryRegistry,
}
Check = Callable[[ImageRegistry], Coroutine[None, None, None]]
Run = Callable[[Check], None]
UNKNOWN = "sha256:" + "0" * 64


@pytest.fixture(
    params=subjects.params(SUBJECTS, debian=("client of Debian's registry",), slow=("client of Debian's registry",))
)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a check on a registry, which is empty at first and stays what it is from check to check."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ExitStack() as stack:
        if request.param == "memory":
            registry: ImageRegistry = MemoryRegistry()
        elif request.param == "fresh clients":
            registry = FreshClients(stack.enter_context(own_registry(folder)))
        else:
            assert SUBJECTS[request.param] is RegistryClient
            served = debian_registry if "Debian" in request.param else own_registry
            host = stack.enter_context(served(folder))
            yield lambda check: asyncio.run(_with_client(host, check))
            return
        assert type(registry) is SUBJECTS[request.param]
        yield lambda check: asyncio.run(check(registry))


async def _with_client(host: str, check: Check) -> None:
    client = RegistryClient(RegistryAccount(name="x", address=f"http://{host}"))
    try:
        await check(client)
    finally:
        await client.close()


def built(folder: Path, text: str = "text") -> str:
    """Builds a small image into `<folder>/layout`, beside what is there; gives its digest."""
    context = folder / "context"
    context.mkdir(parents=True, exist_ok=True)
    (context / "a").write_text(text)
    (context / "Dockerfile").write_text('FROM scratch\nCOPY a /\nLABEL mark=x\nEXPOSE 80\nCMD ["/a"]\n')
    return building.build(
        BuildRequest(
            context=context,
            dockerfile=Path("Dockerfile"),
            layout=folder / "layout",
            at=datetime(2026, 1, 2, tzinfo=UTC),
            scratch=folder / "scratch",
        )
    ).digest


def indexed(layout: Path, own: str, other: str) -> str:
    """Puts an index of an image for this machine and one for another into the layout; gives its digest."""
    platforms = {own: manifests.own_platform(), other: manifests.Platform(os="plan9", architecture="vax")}
    body = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": manifests.OCI_INDEX,
            "manifests": [
                {
                    "mediaType": manifests.OCI_MANIFEST,
                    "digest": digest,
                    "size": len(layouts.read_blob(layout, digest)),
                    "platform": {"os": platform.os, "architecture": platform.architecture},
                }
                for digest, platform in platforms.items()
            ],
        }
    ).encode()
    return layouts.put_blob(layout, body)


def text_in(layout: Path, digest: str, folder: Path) -> str:
    return (unpacking.unpack_image(layout, digest, folder).rootfs / "a").read_text()


def test_a_pushed_image_is_listed_and_resolved(run: Run, tmp_path: Path) -> None:
    digest = built(tmp_path)

    async def check(registry: ImageRegistry) -> None:
        pushed = await registry.push(tmp_path / "layout", digest, repository="team/shop", tag="1.0")

        assert pushed == digest
        assert await registry.repositories() == ("team/shop",)
        assert await registry.tags("team/shop") == ("1.0",)
        assert await registry.resolve("team/shop", "1.0") == digest
        assert await registry.resolve("team/shop", digest) == digest

    run(check)


def test_a_pushed_image_says_what_it_is(run: Run, tmp_path: Path) -> None:
    digest = built(tmp_path)

    async def check(registry: ImageRegistry) -> None:
        await registry.push(tmp_path / "layout", digest, repository="shop", tag="1.0")

        facts = await registry.inspect("shop", "1.0")
        assert facts is not None
        assert facts == await registry.inspect("shop", digest)
        assert (facts.digest, facts.media_type) == (digest, manifests.OCI_MANIFEST)
        assert (facts.created, facts.size_bytes > 0) == ("2026-01-02T00:00:00Z", True)
        assert facts.run.labels["mark"] == "x"
        assert (facts.run.command, facts.run.exposed_ports) == (("/a",), ("80/tcp",))
        assert isinstance(facts.run, RunConfig)

    run(check)


def test_a_pulled_image_is_the_one_that_was_pushed(run: Run, tmp_path: Path) -> None:
    digest = built(tmp_path, "what was pushed")

    async def check(registry: ImageRegistry) -> None:
        await registry.push(tmp_path / "layout", digest, repository="shop", tag="1.0")

        for reference in ("1.0", digest):
            assert await registry.pull("shop", reference, tmp_path / "pulled") == digest
        assert layouts.find(tmp_path / "pulled") == digest
        assert text_in(tmp_path / "pulled", digest, tmp_path / "unpacked") == "what was pushed"

    run(check)


def test_several_pulls_share_a_layout(run: Run, tmp_path: Path) -> None:
    one, two = built(tmp_path, "one"), built(tmp_path, "two")

    async def check(registry: ImageRegistry) -> None:
        await registry.push(tmp_path / "layout", one, repository="shop", tag="1")
        await registry.push(tmp_path / "layout", two, repository="cart", tag="1")

        await asyncio.gather(
            registry.pull("shop", "1", tmp_path / "pulled"), registry.pull("cart", "1", tmp_path / "pulled")
        )

        assert text_in(tmp_path / "pulled", one, tmp_path / "unpacked") == "one"
        assert text_in(tmp_path / "pulled", two, tmp_path / "unpacked") == "two"

    run(check)


def test_pushing_the_same_again_changes_nothing(run: Run, tmp_path: Path) -> None:
    digest = built(tmp_path)

    async def check(registry: ImageRegistry) -> None:
        for _ in range(2):
            assert await registry.push(tmp_path / "layout", digest, repository="shop", tag="1.0") == digest

        assert await registry.tags("shop") == ("1.0",)
        assert await registry.resolve("shop", "1.0") == digest

    run(check)


def test_an_image_may_have_several_tags(run: Run, tmp_path: Path) -> None:
    digest = built(tmp_path)

    async def check(registry: ImageRegistry) -> None:
        for tag in ("1.0", "1.0-again"):
            await registry.push(tmp_path / "layout", digest, repository="shop", tag=tag)

        assert set(await registry.tags("shop")) == {"1.0", "1.0-again"}
        assert await registry.resolve("shop", "1.0-again") == digest

    run(check)


def test_a_mutable_tag_names_what_was_pushed_last_and_the_other_stays(run: Run, tmp_path: Path) -> None:
    one, two = built(tmp_path, "one"), built(tmp_path, "two")

    async def check(registry: ImageRegistry) -> None:
        await registry.push(tmp_path / "layout", one, repository="shop", tag="latest")
        await registry.push(tmp_path / "layout", two, repository="shop", tag="latest")

        assert await registry.resolve("shop", "latest") == two
        assert await registry.pull("shop", one, tmp_path / "pulled") == one

    run(check)


def test_of_an_image_for_several_platforms_this_machines_is_pulled(run: Run, tmp_path: Path) -> None:
    own, other = built(tmp_path, "own"), built(tmp_path, "other")
    index = indexed(tmp_path / "layout", own, other)

    async def check(registry: ImageRegistry) -> None:
        assert await registry.push(tmp_path / "layout", index, repository="shop", tag="1.0") == index

        facts = await registry.inspect("shop", "1.0")
        assert facts is not None
        assert (facts.digest, facts.media_type, facts.run.command) == (index, manifests.OCI_INDEX, ("/a",))
        assert await registry.resolve("shop", "1.0") == index
        assert await registry.pull("shop", "1.0", tmp_path / "pulled") == own
        assert text_in(tmp_path / "pulled", own, tmp_path / "unpacked") == "own"

    run(check)


def test_an_image_for_other_platforms_only_is_refused(run: Run, tmp_path: Path) -> None:
    first, second = built(tmp_path, "one"), built(tmp_path, "two")
    layout = tmp_path / "layout"
    body = json.loads(layouts.read_blob(layout, indexed(layout, first, second)))
    index = layouts.put_blob(layout, json.dumps({**body, "manifests": body["manifests"][1:]}).encode())

    async def check(registry: ImageRegistry) -> None:
        await registry.push(layout, index, repository="shop", tag="1.0")

        with pytest.raises(Refused, match="isn't made for") as refused:
            await registry.pull("shop", "1.0", tmp_path / "pulled")
        assert refused.value.status == 422

    run(check)


def test_what_is_not_there_is_not_there(run: Run, tmp_path: Path) -> None:
    digest = built(tmp_path)

    async def check(registry: ImageRegistry) -> None:
        assert await registry.repositories() == ()
        assert await registry.tags("nothing") == ()
        await registry.push(tmp_path / "layout", digest, repository="shop", tag="1.0")
        for repository, reference in (("nothing", "1.0"), ("shop", "2.0"), ("shop", UNKNOWN), ("cart", digest)):
            assert await registry.resolve(repository, reference) is None
            assert await registry.inspect(repository, reference) is None
            with pytest.raises(Refused, match="There is no image") as refused:
                await registry.pull(repository, reference, tmp_path / "pulled")
            assert (refused.value.status, refused.value.problems[0].code) == (404, "registry.manifest_unknown")

    run(check)


def test_a_push_without_one_of_its_blobs_is_refused_and_sets_no_tag(run: Run, tmp_path: Path) -> None:
    digest = built(tmp_path)
    layout = tmp_path / "layout"
    layer = layouts.read_image(layout, digest).manifest.layers[0]
    layouts.blob_path(layout, layer.digest).unlink()

    async def check(registry: ImageRegistry) -> None:
        with pytest.raises(Refused, match=layer.digest) as refused:
            await registry.push(layout, digest, repository="shop", tag="1.0")

        assert (refused.value.status, refused.value.problems[0].code) == (422, "registry.blob_unknown")
        assert await registry.resolve("shop", "1.0") is None

    run(check)


def test_a_damaged_image_of_a_layout_is_not_pushed(run: Run, tmp_path: Path) -> None:
    digest = built(tmp_path)
    layouts.blob_path(tmp_path / "layout", digest).write_bytes(b"{}")

    async def check(registry: ImageRegistry) -> None:
        with pytest.raises(Refused, match="damaged"):
            await registry.push(tmp_path / "layout", digest, repository="shop", tag="1.0")

        assert await registry.tags("shop") == ()

    run(check)


def test_a_blob_that_is_there_is_not_fetched_again_but_the_missing_ones_are(run: Run, tmp_path: Path) -> None:
    digest = built(tmp_path)
    layer = layouts.read_image(tmp_path / "layout", digest).manifest.layers[0]

    async def check(registry: ImageRegistry) -> None:
        await registry.push(tmp_path / "layout", digest, repository="shop", tag="1.0")
        await registry.pull("shop", "1.0", tmp_path / "pulled")
        layouts.blob_path(tmp_path / "pulled", layer.digest).unlink()

        await registry.pull("shop", "1.0", tmp_path / "pulled")

        found = layouts.blob_path(tmp_path / "pulled", layer.digest).read_bytes()
        assert "sha256:" + hashlib.sha256(found).hexdigest() == layer.digest

    run(check)


@pytest.mark.parametrize(("repository", "reference"), [("Shop", "1.0"), ("shop", "a b"), ("../x", "1"), ("shop", "..")])
def test_names_that_are_none_are_refused(run: Run, tmp_path: Path, repository: str, reference: str) -> None:
    digest = built(tmp_path)

    async def check(registry: ImageRegistry) -> None:
        for asked in (
            registry.resolve(repository, reference),
            registry.inspect(repository, reference),
            registry.pull(repository, reference, tmp_path / "pulled"),
            registry.push(tmp_path / "layout", digest, repository=repository, tag=reference),
        ):
            with pytest.raises(Refused, match=r"is no|is neither") as refused:
                await asked
            assert refused.value.status == 400

    run(check)


def test_a_digest_is_no_tag_to_push_under(run: Run, tmp_path: Path) -> None:
    digest = built(tmp_path)

    async def check(registry: ImageRegistry) -> None:
        with pytest.raises(Refused, match="is no tag"):
            await registry.push(tmp_path / "layout", digest, repository="shop", tag=digest)

    run(check)


def test_it_knows_its_name_in_references(run: Run) -> None:
    async def check(registry: ImageRegistry) -> None:
        host, _, port = registry.host.partition(":")
        assert (host, port.isdecimal()) == ("127.0.0.1", True)

    run(check)
