"""CORS: pages of configured origins may use the API; no other page may, and none changes anything in their name."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.settings import ServerSettings, Settings, SignInSettings

DECK = "https://deck.example.org"
ASKS = {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}


def visit(work: Callable[[Website], Awaitable[None]], *origins: str) -> None:
    server = ServerSettings(allowed_origins=origins, names=("cd.example.org",), base_url="https://ci.example.org")
    harness = Harness(settings=Settings(server=server, sign_in=SignInSettings(required=bool(origins))))

    async def main() -> None:
        async with harness.process() as core:
            await work(Website(harness, core))

    harness.time.run(main())


def test_a_page_of_a_configured_origin_is_let_in_and_may_read_errors() -> None:
    async def work(site: Website) -> None:
        headers = {"origin": DECK, "sec-fetch-site": "cross-site"}
        preflight = await site.call("OPTIONS", "/tasks", token=None, headers={**headers, **ASKS})
        assert preflight.status == 204
        assert preflight.headers["access-control-allow-origin"] == DECK
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        refused = await site.get("/applications", token=None, headers=headers)
        assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, DECK)
        assert refused.headers["access-control-allow-credentials"] == "true"
        cancelled = await site.call("PUT", "/tasks/cancel", headers=headers)
        assert (cancelled.status, cancelled.headers["vary"]) == (200, "Origin")

    visit(work, DECK)


def test_no_other_origin_is_named_or_let_in() -> None:
    async def work(site: Website) -> None:
        for other in ("https://evil.example", "null", f"{DECK}.evil.example", "http://deck.example.org", f"{DECK}:444"):
            headers = {"origin": other}
            for answer in (
                await site.call("OPTIONS", "/tasks", token=None, headers={**headers, **ASKS}),
                await site.get("/applications", headers=headers),
                await site.call("PUT", "/tasks/cancel", headers=headers),
            ):
                assert "access-control-allow-origin" not in answer.headers, other
            assert answer.status == 403

    visit(work, DECK)


def test_the_settings_names_are_answered_to_only_where_people_sign_in() -> None:
    async def look(site: Website) -> int:
        return (await site.get("/health/live", headers={"host": "cd.example.org"})).status

    found: list[int] = []

    async def work(site: Website) -> None:
        found.append(await look(site))

    visit(work, DECK)
    visit(work)
    assert found == [200, 403]


def test_signing_in_leads_back_to_pages_of_the_settings_names_and_origins_and_to_no_others() -> None:
    async def work(site: Website) -> None:
        async def led(to: str) -> tuple[int, str | None]:
            answer = await site.get("/auth/redirect?to=" + quote(to, safe=""))
            return answer.status, answer.headers.get("location")

        for own in (
            f"{DECK}/#/applications",
            "https://cd.example.org/#/applications?q=a",
            "https://CI.example.org:9000/",
            "http://localhost:9000/",
            "/ui/",
        ):
            assert await led(own) == (302, own)
        for foreign in (
            "http://deck.example.org/",
            f"{DECK}:444/",
            f"{DECK}.evil.example/",
            f"{DECK}@evil.example/",
            "https://evil.example\\@cd.example.org/",
            "https://cd.example.org.evil.example/",
            "ftp://cd.example.org/",
            "cd.example.org",
            "https:///",
        ):
            assert (await led(foreign))[0] == 400, foreign

    visit(work, DECK)
