"""The client pushes and pulls what it should, verified, to any registry, as often as it is asked."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from tests.registry_servers import own_registry

from gennaker.model.problems import Refused
from gennaker.plugins.oci.client import RegistryClient
from gennaker.plugins.oci.session import RegistryAccount
from gennaker.plugins.oci.sign_in import Credentials
from gennaker.transport.images import building
from gennaker.transport.images.building import BuildRequest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
Answering = Callable[[httpx2.Request], httpx2.Response]


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


async def streamed(content: bytes) -> AsyncIterator[bytes]:
    yield content


def built(folder: Path, text: str = "text") -> str:
    """Builds a small image into `<folder>/layout`; gives its digest."""
    context = folder / "context"
    context.mkdir(parents=True, exist_ok=True)
    (context / "a").write_text(text)
    (context / "Dockerfile").write_text('FROM scratch\nCOPY a /\nLABEL mark=x\nEXPOSE 80\nCMD ["/a"]\n')
    request = BuildRequest(
        context=context,
        dockerfile=Path("Dockerfile"),
        layout=folder / "layout",
        at=datetime(2026, 1, 2, tzinfo=UTC),
        scratch=folder / "scratch",
    )
    return building.build(request).digest


def with_client(
    address: str,
    work: Callable[[RegistryClient], Coroutine[None, None, None]],
    answer: Answering | None = None,
    **more: object,
) -> None:
    """Runs the work with a client; `answer` stands in for the network."""
    account = RegistryAccount(name="x", address=address, **more)  # type: ignore[arg-type]  # an account's keywords

    async def run() -> None:
        client = RegistryClient(account, transport=httpx2.MockTransport(answer) if answer else None)
        try:
            await work(client)
        finally:
            await client.close()

    asyncio.run(run())


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """The address of a registry."""
    with own_registry(tmp_path / "data") as host:
        yield f"http://{host}"


def test_hands_on_the_registrys_own_sentence(registry: str, tmp_path: Path) -> None:
    async def work(client: RegistryClient) -> None:
        await client.push(tmp_path / "layout", built(tmp_path), repository="shop", tag="1.0")
        with pytest.raises(Refused, match="for good and can't be given") as refused:
            await client.push(tmp_path / "layout", built(tmp_path, "other"), repository="shop", tag="1.0")
        assert (refused.value.status, refused.value.problems[0].code) == (409, "registry.denied")

    with_client(registry, work)


def test_follows_all_pages(registry: str, tmp_path: Path) -> None:
    async def work(client: RegistryClient) -> None:
        digest = built(tmp_path)
        for number in range(5):
            await client.push(tmp_path / "layout", digest, repository=f"shop{number}", tag=f"1.{number}")
            await client.push(tmp_path / "layout", digest, repository="shop0", tag=f"1.{number}")
        assert await client.tags("shop0") == tuple(f"1.{number}" for number in range(5))
        assert await client.repositories() == tuple(f"shop{number}" for number in range(5))

    with_client(registry, work, page_size=2)


def test_follows_a_link_that_names_another_host_on_its_own() -> None:
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        if "last" in request.url.params:
            return httpx2.Response(200, json={"name": "shop", "tags": ["b", ""]})
        link = '<https://inside.example/v2/shop/tags/list?last=a>; rel = "next"'
        return httpx2.Response(200, json={"name": "shop", "tags": ["a"]}, headers={"link": link})

    async def work(client: RegistryClient) -> None:
        assert await client.tags("shop") == ("a", "b")

    with_client("registry.example", work, answer)
    assert asked == [
        "https://registry.example/v2/shop/tags/list?n=100",
        "https://registry.example/v2/shop/tags/list?last=a&n=100",
    ]


def test_signs_in_with_a_token_and_keeps_it() -> None:
    asked: list[tuple[str, str]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        authorization = request.headers.get("authorization", "")
        asked.append((request.url.host, authorization.partition(" ")[0]))
        if request.url.host == "token.example":
            assert dict(request.url.params) == {"service": "r", "scope": "repository:shop:pull"}
            return httpx2.Response(200, json={"token": None, "access_token": "t1"})
        if authorization == "Bearer t1":
            return httpx2.Response(200, json={"tags": ["a"]})
        challenge = 'Bearer realm="https://token.example/auth?x=1",service="r",scope="repository:shop:pull"'
        return httpx2.Response(401, headers={"www-authenticate": challenge})

    async def work(client: RegistryClient) -> None:
        assert await client.tags("shop") == ("a",)
        assert await client.tags("shop") == ("a",)

    with_client("registry.example", work, answer, credentials=Credentials(username="ada", password="secret"))
    assert asked == [
        ("registry.example", "Basic"),
        ("token.example", "Basic"),
        ("registry.example", "Bearer"),
        ("registry.example", "Bearer"),
    ]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"www-authenticate": 'Basic realm="x"'}, "doesn't let this account read"),
        ({}, "doesn't let this account read"),
        ({"www-authenticate": 'Bearer realm="http://token.example/"'}, "without encryption"),
        ({"www-authenticate": 'Bearer realm="file:///etc"'}, "no address"),
        ({"www-authenticate": 'Bearer realm="https://token.example/"'}, "answered 401"),
    ],
)
def test_says_why_signing_in_failed(headers: dict[str, str], reason: str) -> None:
    async def work(client: RegistryClient) -> None:
        with pytest.raises(Refused, match=reason):
            await client.tags("shop")

    credentials = Credentials(username="ada", password="secret")
    with_client(
        "registry.example", work, lambda request: httpx2.Response(401, headers=headers), credentials=credentials
    )
    assert "secret" not in repr(credentials)


@pytest.mark.parametrize(("answer", "said"), [(None, "can't be reached: no route"), (503, "answered 503")])
def test_a_token_service_that_is_away_is_waited_for(answer: int | None, said: str) -> None:
    def answering(request: httpx2.Request) -> httpx2.Response:
        if request.url.host != "token.example":
            return httpx2.Response(401, headers={"www-authenticate": 'Bearer realm="https://token.example/"'})
        if answer is None:
            raise httpx2.ConnectError("no route")
        return httpx2.Response(answer)

    async def work(client: RegistryClient) -> None:
        with pytest.raises(Refused, match=said) as refused:
            await client.tags("shop")
        assert refused.value.is_unavailable

    with_client("registry.example", work, answering)


def test_the_password_does_not_follow_redirects() -> None:
    blob = b'{"architecture":"amd64","os":"linux"}'
    body = json.dumps(
        {"schemaVersion": 2, "config": {"digest": sha256(blob), "size": len(blob)}, "layers": []}
    ).encode()
    seen: dict[str, bool] = {}

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen[request.url.host] = "authorization" in request.headers
        if request.url.host == "storage.example":
            return httpx2.Response(200, content=blob)
        if "/blobs/" in request.url.path:
            return httpx2.Response(307, headers={"location": "https://storage.example/x"})
        return httpx2.Response(200, content=body, headers={"content-type": MANIFEST})

    async def work(client: RegistryClient) -> None:
        assert await client.inspect("shop", "1.0") is not None

    with_client("registry.example", work, answer, credentials=Credentials(username="ada", password="secret"))
    assert seen == {"registry.example": True, "storage.example": False}


def test_tries_again_after_a_hiccup() -> None:
    answers = iter([httpx2.Response(503), httpx2.Response(200, json={"tags": ["a"]})])

    async def work(client: RegistryClient) -> None:
        assert await client.tags("shop") == ("a",)

    with_client("registry.example", work, lambda request: next(answers))


@pytest.mark.slow
def test_an_unreachable_registry_is_a_sentence() -> None:
    async def work(client: RegistryClient) -> None:
        with pytest.raises(Refused, match="can't be reached") as refused:
            await client.tags("shop")
        assert refused.value.status == 503

    with_client("http://127.0.0.1:1", work)


@pytest.mark.slow
def test_keeps_nothing_of_a_blob_that_differs(tmp_path: Path) -> None:
    blob = b"what was pushed"
    config = {"digest": sha256(blob), "size": len(blob)}
    body = json.dumps({"schemaVersion": 2, "config": config, "layers": []}).encode()
    given = {"same-size": b"what was forged", "longer": blob + b"!"}

    def answering(content: bytes) -> Answering:
        return lambda request: httpx2.Response(
            200,
            content=streamed(content) if "/blobs/" in request.url.path else body,
            headers={"content-type": MANIFEST},
        )

    for name, content in given.items():

        async def work(client: RegistryClient, name: str = name) -> None:
            with pytest.raises(Refused, match=r"nothing of it was kept|gives more than"):
                await client.pull("shop", "1.0", tmp_path / name)

        with_client("registry.example", work, answering(content))
        assert list((tmp_path / name / "blobs" / "sha256").iterdir()) == []


def test_refuses_a_manifest_that_is_not_what_was_asked_for(tmp_path: Path) -> None:
    body = json.dumps({"schemaVersion": 2, "config": {"digest": sha256(b""), "size": 0}, "layers": []}).encode()

    async def work(client: RegistryClient) -> None:
        with pytest.raises(Refused, match="it was not used"):
            await client.pull("shop", sha256(b"other"), tmp_path / "pulled")

    with_client("registry.example", work, lambda request: httpx2.Response(200, content=body))


@pytest.mark.parametrize("address", ["ftp://x", "http://", "https://user:secret@x", "http://x:port"])
def test_refuses_an_address_that_is_none(address: str) -> None:
    with pytest.raises(Refused, match="The registry's address"):
        RegistryClient(RegistryAccount(name="x", address=address))


@pytest.mark.parametrize("address", ["registry.example", "https://registry.example/v2/", "https://registry.example/"])
def test_an_address_can_be_written_in_several_ways(address: str) -> None:
    async def work(client: RegistryClient) -> None:
        assert client.host == "registry.example"
        assert await client.tags("shop") == ()

    with_client(
        address, work, lambda request: httpx2.Response(404 if request.url.path == "/v2/shop/tags/list" else 500)
    )


def test_a_transfer_has_a_time_limit(tmp_path: Path) -> None:
    async def slowly(_: httpx2.Request) -> httpx2.Response:
        await asyncio.sleep(5)
        return httpx2.Response(200)

    async def work(client: RegistryClient) -> None:
        with pytest.raises(Refused, match=r"not pulled within 0\.05 s") as refused:
            await client.pull("shop", "1.0", tmp_path / "pulled")
        assert refused.value.status == 504, "with 503 it would be pulled again and again"

    with_client("registry.example", work, slowly, transfer_timeout=timedelta(seconds=0.05))  # type: ignore[arg-type]  # MockTransport takes both kinds


@pytest.mark.parametrize(("repository", "tag"), [("Shop", "1.0"), ("shop", "a b"), ("../x", "1"), ("shop", "..")])
def test_refuses_names_that_are_none(repository: str, tag: str, tmp_path: Path) -> None:
    async def work(client: RegistryClient) -> None:
        with pytest.raises(Refused, match=r"is no|is neither"):
            await client.push(tmp_path, "sha256:" + "0" * 64, repository=repository, tag=tag)
        with pytest.raises(Refused, match=r"is no|is neither"):
            await client.resolve(repository, tag)

    with_client("registry.example", work, lambda request: httpx2.Response(500))


@pytest.mark.parametrize("link", ["<" * 60_000, "<>;" * 20_000, "<x>;" + "rel =" * 12_000])
@pytest.mark.parametrize("challenge", ["a" * 60_000, 'a="\\' * 15_000])
def test_endless_headers_of_a_registry_are_looked_through_once(link: str, challenge: str) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if "authorization" in request.headers:
            return httpx2.Response(200, json={"tags": ["1.0"]}, headers={"link": link})
        if request.url.path == "/token":
            return httpx2.Response(200, json={"token": "t"})
        said = f'Bearer realm="https://registry.example/token",{challenge}'
        return httpx2.Response(401, headers={"www-authenticate": said})

    async def work(client: RegistryClient) -> None:
        assert await client.tags("shop") == ("1.0",)

    with_client("registry.example", work, answer)
