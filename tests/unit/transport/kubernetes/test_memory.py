"""Memory: lists that one watch keeps for all who ask."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from tests.fakes.kubernetes_api import KubernetesApi

from gennaker.interfaces.api_servers import ApiRefusal, ApiUnavailable
from gennaker.model.problems import Problem, Refused
from gennaker.testing.virtual_time import VirtualTime
from gennaker.transport.kubernetes.kubeconfig import Access
from gennaker.transport.kubernetes.server import HttpApiServer

PATH = "/api/v1/namespaces/shop/configmaps"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


Event = tuple[Any, Any]
"""An object before and after it."""


def watched(
    check: Callable[[KubernetesApi, HttpApiServer], Awaitable[None]], told: list[Event] | None = None
) -> KubernetesApi:
    """Runs a check in virtual time, with an API server whose watches are kept. `told`: filled with what changes."""
    time = VirtualTime()
    api = KubernetesApi()

    async def main() -> None:
        access = Access(server="http://cluster")
        server = HttpApiServer(
            "prod",
            lambda: access,
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            transport=api,
            changed=lambda before, after: None if told is None else told.append((before, after)),
        )
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(server.keep())
            await asyncio.sleep(0)
            await check(api, server)
            keeping.cancel()

    time.run(main())
    return api


def names(found: Any) -> list[str]:
    return sorted(name for _, name in found)


def test_each_change_is_told_with_what_was_there_before() -> None:
    async def check(api: KubernetesApi, server: HttpApiServer) -> None:
        api.put(config_map("a", x="1"))
        await server.seen(PATH)
        api.put(config_map("a", x="2"))
        api.put(config_map("b"))
        api.remove("configmaps", "a")
        await asyncio.sleep(0.01)

    told: list[Event] = []
    watched(check, told)

    content = [tuple(one and one.get("data", {}) for one in event) for event in told]
    assert content == [({"x": "1"}, {"x": "2"}), (None, {}), ({"x": "2"}, None)]


def test_changes_are_seen_without_being_asked_for() -> None:
    async def check(api: KubernetesApi, server: HttpApiServer) -> None:
        api.put(config_map("a", x="1"))
        assert names(await server.seen(PATH)) == ["a"]
        api.put(config_map("b"))
        api.put(config_map("a", x="2"))
        await asyncio.sleep(0.01)
        found = await server.seen(PATH)
        assert names(found) == ["a", "b"]
        assert found["shop", "a"]["data"] == {"x": "2"}
        assert (found["shop", "a"]["kind"], found["shop", "a"]["apiVersion"]) == ("ConfigMap", "v1")
        api.remove("configmaps", "a")
        await asyncio.sleep(0.01)
        assert names(await server.seen(PATH)) == ["b"]

    api = watched(check)

    assert api.asked == [f"GET {PATH}", f"GET {PATH}"]


def test_a_watch_that_ends_goes_on_from_where_it_was() -> None:
    async def check(api: KubernetesApi, server: HttpApiServer) -> None:
        await server.seen(PATH)
        for number in range(4):
            await asyncio.sleep(100)
            api.put(config_map(f"c{number}"))
            await server.seen(PATH)
        await asyncio.sleep(1)
        assert names(await server.seen(PATH)) == ["c0", "c1", "c2", "c3"]

    api = watched(check)

    assert len(api.asked) < 8


def test_what_was_deleted_while_nobody_watched_is_gone() -> None:
    async def check(api: KubernetesApi, server: HttpApiServer) -> None:
        api.put(config_map("a"))
        api.put(config_map("b"))
        await server.seen(PATH)
        api.is_down = True
        api._wake()  # noqa: SLF001 - cuts the watch
        await asyncio.sleep(1)
        api.remove("configmaps", "a")
        api.forget_history()
        api.is_down = False
        await asyncio.sleep(9)
        assert names(await server.seen(PATH)) == ["b"]

    watched(check)


def test_old_knowledge_is_not_passed_off_as_new() -> None:
    async def check(api: KubernetesApi, server: HttpApiServer) -> None:
        api.put(config_map("a"))
        await server.seen(PATH)
        api.is_down = True
        api._wake()  # noqa: SLF001 - cuts the watch
        await asyncio.sleep(5)
        assert names(await server.seen(PATH)) == ["a"]
        await asyncio.sleep(10)
        with pytest.raises(ApiUnavailable):
            await server.seen(PATH)
        api.is_down = False
        await asyncio.sleep(10)
        assert names(await server.seen(PATH)) == ["a"]

    watched(check)


def test_a_server_that_cannot_be_reached_at_first_is_said_and_tried_anew() -> None:
    async def check(api: KubernetesApi, server: HttpApiServer) -> None:
        api.is_down = True
        with pytest.raises(ApiUnavailable):
            await server.seen(PATH)
        api.is_down = False
        assert names(await server.seen(PATH)) == []

    watched(check)


def test_what_may_not_be_listed_is_refused_each_time() -> None:
    async def check(api: KubernetesApi, server: HttpApiServer) -> None:
        api.forbidden = {"GET configmaps": "no"}
        for _ in range(2):
            with pytest.raises(ApiRefusal):
                await server.seen(PATH)

    watched(check)


def test_long_lists_come_in_pages() -> None:
    async def check(api: KubernetesApi, server: HttpApiServer) -> None:
        for number in range(1201):
            api.put(config_map(f"c{number}"))
        assert len(await server.seen(PATH)) == 1201

    watched(check)


def test_a_list_that_nobody_asks_for_any_more_is_dropped() -> None:
    async def check(api: KubernetesApi, server: HttpApiServer) -> None:
        await server.seen(PATH)
        await asyncio.sleep(1000)
        before = len(api.asked)
        await asyncio.sleep(1000)
        assert len(api.asked) == before
        api.put(config_map("a"))
        assert names(await server.seen(PATH)) == ["a"]

    watched(check)


def test_an_account_that_cannot_be_used_cuts_no_other_watch() -> None:
    def unusable() -> Access:
        raise Refused(Problem(code="kubernetes.kubeconfig", message="gone"))

    async def main() -> None:
        server = HttpApiServer("prod", unusable, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(server.keep())
            await asyncio.sleep(0)
            for _ in range(2):
                with pytest.raises(Refused, match="gone"):
                    await server.seen(PATH)
            assert not keeping.done()
            keeping.cancel()

    VirtualTime().run(main())


@pytest.mark.parametrize(("times", "is_listed"), [(2, True), (3, False)])
def test_a_list_whose_pages_go_out_of_date_is_begun_anew(times: int, *, is_listed: bool) -> None:
    outdated = times

    def page(request: httpx2.Request) -> httpx2.Response:
        nonlocal outdated
        if "continue" not in request.url.params:
            return httpx2.Response(200, json=listed("a", following="2"))
        if outdated:
            outdated -= 1
            said = "The provided continue parameter is too old to display a consistent list result."
            return httpx2.Response(410, json={"kind": "Status", "reason": "Expired", "code": 410, "message": said})
        return httpx2.Response(200, json=listed("b"))

    access = Access(server="http://cluster")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    server = HttpApiServer("prod", lambda: access, now=lambda: now, transport=httpx2.MockTransport(page))

    if is_listed:
        assert names(asyncio.run(server.seen(PATH))) == ["a", "b"]
    else:
        with pytest.raises(ApiUnavailable, match="goes out of date before it is read: The provided continue"):
            asyncio.run(server.seen(PATH))


def listed(name: str, *, following: str = "") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMapList",
        "metadata": {"resourceVersion": "7", "continue": following},
        "items": [{"metadata": {"name": name, "namespace": "shop"}}],
    }
