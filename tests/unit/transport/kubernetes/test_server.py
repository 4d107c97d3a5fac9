"""The client of API servers: what it makes of answers, and how it signs in again."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from tests.fakes.kubernetes_api import KubernetesApi

from gennaker.interfaces.api_servers import ApiRefusal, ApiUnavailable, Resource
from gennaker.transport.kubernetes.kubeconfig import Access, User
from gennaker.transport.kubernetes.server import HttpApiServer

Answer = Callable[[httpx2.Request], httpx2.Response]


def server(transport: httpx2.AsyncBaseTransport, user: User = User(token="t")) -> HttpApiServer:  # noqa: B008 - a frozen record
    access = Access(server="http://cluster", user=user)
    return HttpApiServer("prod", lambda: access, now=lambda: datetime(2026, 1, 1, tzinfo=UTC), transport=transport)


def answering(answer: Answer) -> HttpApiServer:
    return server(httpx2.MockTransport(answer))


def refusal(status: int, **fields: object) -> Answer:
    return lambda request: httpx2.Response(status, json={"kind": "Status", **fields}, headers={"retry-after": "3"})


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 408])
def test_what_may_pass_is_told_from_what_is_final(status: int) -> None:
    with pytest.raises(ApiUnavailable, match="busy") as failed:
        asyncio.run(answering(refusal(status, message="busy")).request("GET", "/api/v1/pods"))

    assert failed.value.after_seconds == 3


@pytest.mark.parametrize(
    ("method", "query", "outcome", "may_be_done"),
    [
        ("PATCH", {}, 500, True),
        ("PATCH", {}, 504, True),
        ("PATCH", {}, 429, False),
        ("PATCH", {}, 503, False),
        ("GET", {}, 500, False),
        ("PATCH", {"dryRun": "All"}, 500, False),
        ("DELETE", {}, httpx2.ReadError("connection reset"), True),
        ("DELETE", {}, httpx2.ConnectError("connection refused"), False),
        ("GET", {}, httpx2.ReadError("connection reset"), False),
    ],
)
def test_of_a_change_without_a_good_answer_is_said_whether_it_may_be_made(
    method: str, query: dict[str, str], outcome: int | httpx2.TransportError, may_be_done: bool
) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if isinstance(outcome, int):
            return refusal(outcome)(request)
        raise outcome

    with pytest.raises(ApiUnavailable) as failed:
        asyncio.run(answering(answer).request(method, "/api/v1/pods/x", query=query))

    assert failed.value.may_be_done is may_be_done


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_an_answer_that_cannot_be_unpacked_is_none(method: str) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-encoding": "gzip"}, stream=httpx2.ByteStream(b"plain"))

    with pytest.raises(ApiUnavailable, match="broke off") as failed:
        asyncio.run(answering(answer).request(method, "/api/v1/pods/x"))

    assert failed.value.may_be_done is (method == "PATCH")


def test_a_refusal_keeps_the_apis_own_words() -> None:
    causes = [{"reason": "FieldManagerConflict", "message": "x", "field": ".spec"}]
    answer = refusal(409, message="conflict", reason="Conflict", details={"causes": causes})

    with pytest.raises(ApiRefusal, match="conflict") as failed:
        asyncio.run(answering(answer).request("PATCH", "/api/v1/pods/x"))

    assert (failed.value.status, failed.value.reason, failed.value.causes) == (409, "Conflict", tuple(causes))


def test_an_answer_that_is_no_json_is_shown() -> None:
    with pytest.raises(ApiRefusal, match="nginx says no"):
        asyncio.run(answering(lambda request: httpx2.Response(403, text="nginx says no")).request("GET", "/"))


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_a_proxys_page_is_no_answer(method: str) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, html="<html>Back soon.</html>")

    with pytest.raises(ApiUnavailable, match="a proxy answers") as failed:
        asyncio.run(answering(answer).request(method, "/api/v1/pods/x"))

    assert failed.value.may_be_done is (method == "PATCH")


def test_a_refused_token_is_renewed_once(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers["authorization"])
        file.write_text("new")
        return httpx2.Response(200 if asked[-1] == "Bearer new" else 401, json={"message": "who?"})

    async def main() -> None:
        client = server(httpx2.MockTransport(answer), User(token_file=file))
        await client.request("GET", "/version")
        file.write_text("gone")
        await client.request("GET", "/version")

    asyncio.run(main())
    assert asked == ["Bearer old", "Bearer new", "Bearer new"]


def test_a_token_that_stays_refused_is_said() -> None:
    with pytest.raises(ApiRefusal, match="who"):
        asyncio.run(answering(refusal(401, message="who?")).request("GET", "/version"))


def test_nobody_there_is_unavailable() -> None:
    api = KubernetesApi()
    api.is_down = True

    with pytest.raises(ApiUnavailable, match="can't be reached"):
        asyncio.run(server(api).request("GET", "/version"))


def test_kinds_are_asked_for_once_and_again_when_wanted() -> None:
    api = KubernetesApi()

    async def main() -> tuple[Resource, ...]:
        client = server(api)
        await client.resources("apps/v1")
        found = await client.resources("apps/v1")
        assert len(api.asked) == 1
        await client.resources("apps/v1", anew=True)
        assert len(api.asked) == 2
        assert await client.resources("nope/v1") == ()
        assert await client.versions("nope") == ()
        assert await client.versions("apps") == ("apps/v1",)
        return found

    found = asyncio.run(main())
    deployment = next(one for one in found if one.kind == "Deployment")
    assert deployment.path("shop", "web", "scale") == "/apis/apps/v1/namespaces/shop/deployments/web/scale"


def test_what_many_want_to_know_at_once_is_asked_once_whatever_comes_of_it() -> None:
    asked: list[str] = []

    async def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        await asyncio.sleep(0.01)
        if len(asked) == 1:
            return refusal(503, message="busy")(request)
        return httpx2.Response(200, json={"versions": [{"groupVersion": "apps/v1"}]})

    async def story() -> None:
        here = answering(answer)  # type: ignore[arg-type]  # the transport takes both kinds

        failed = await asyncio.gather(*(here.versions("apps") for _ in range(3)), return_exceptions=True)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(here.versions("apps"))
            others = [group.create_task(here.versions("apps")) for _ in range(3)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            first.cancel()

        assert [str(one) for one in failed] == [str(failed[0])] * 3
        assert [one.result() for one in others] == [("apps/v1",)] * 3
        assert len(asked) == 3, "once in vain, once for one that was cancelled, once for all"

    asyncio.run(story())


def test_a_cluster_scoped_kind_has_no_namespace_in_its_path() -> None:
    namespace = Resource(api_version="v1", kind="Namespace", plural="namespaces", is_namespaced=False)

    assert namespace.path("shop", "shop") == "/api/v1/namespaces/shop"


@pytest.mark.parametrize(
    ("lines", "kind"),
    [(b'{"type":"ERROR","object":{"code":410,"message":"too old"}}\n', ApiRefusal), (b"{\n", ApiUnavailable)],
)
def test_a_watch_that_goes_wrong_says_so(lines: bytes, kind: type[Exception]) -> None:
    async def main() -> None:
        async for _ in answering(lambda request: httpx2.Response(200, content=lines)).watch("/api/v1/pods", query={}):
            pass

    with pytest.raises(kind):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("said", "matching"),
    [
        (
            "failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): .spec.replica: field not declared",
            r"spec\.replica",
        ),
        (
            "failed to convert new object (shop/key; /v1, Kind=Secret) to proper version: unable to convert unstructured: illegal base64",
            "illegal base64",
        ),
    ],
    ids=["field", "value"],
)
def test_what_no_schema_knows_is_refused_for_good_whatever_the_status_says(said: str, matching: str) -> None:
    with pytest.raises(ApiRefusal, match=matching) as refused:
        asyncio.run(answering(refusal(500, message=said)).request("PATCH", "/x"))

    assert refused.value.status == 422


def test_a_webhook_that_cannot_convert_an_object_now_may_do_so_later() -> None:
    said = "failed to convert new object (shop/w; acme.io/v1, Kind=Widget) to proper version: conversion webhook failed"

    with pytest.raises(ApiUnavailable, match="conversion webhook"):
        asyncio.run(answering(refusal(500, message=said)).request("PATCH", "/x"))


def test_however_many_watches_stand_a_request_has_its_turn() -> None:
    """Over real connections: each watch holds one."""
    watches = 60

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        is_watch = b"watch=true" in head.splitlines()[0]
        writer.write(b"HTTP/1.1 200 OK\r\n" + (b"\r\n" if is_watch else b"content-length: 2\r\n\r\n{}"))
        await writer.drain()
        if is_watch:
            await reader.read()
        writer.close()

    async def story() -> bytes:
        async with asyncio.timeout(100), await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            access = Access(server=f"http://127.0.0.1:{port}", user=User(token="t"))
            one = HttpApiServer("prod", lambda: access, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
            standing = [one.watch(f"/api/v1/namespaces/n{place}/pods", query={}) for place in range(watches)]
            for watch in standing:
                assert await anext(watch) == {}
            try:
                return await one.request("GET", "/api/v1/pods")
            finally:
                await one.close()
                for watch in standing:
                    with contextlib.suppress(ApiUnavailable, StopAsyncIteration):
                        await anext(watch)

    assert asyncio.run(story()) == b"{}"
