"""Pages: every list of the native API is walked by its cursors, and nothing is missing or said twice."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness
from tests.unit.access.test_signing_in import PASSWORD

from gennaker.migration.phases import Phase, Standing
from gennaker.model.codec import to_json
from gennaker.model.foreign import mapping
from gennaker.model.release import Release
from gennaker.plugins.flow import plugin as flow

AT = datetime(2026, 1, 2, tzinfo=UTC)
LISTS = {
    "applications": ("/api/v1/applications", 3),
    "pipelines": ("/api/v1/pipelines?application=one", 4),
    "people": ("/api/v1/people", 3),
    "serviceAccounts": ("/api/v1/service-accounts", 3),
    "secrets": ("/api/v1/secrets", 3),
    "revisions": ("/api/v1/definitions/projects/x/revisions", 3),
    "executions": ("/api/v1/executions?application=one", 3),
    "releases": ("/api/v1/applications/one/releases", 3),
    "imports": ("/api/v1/imports", 3),
}
NAMES = ("one", "two", "Three")


async def furnish(site: Website) -> None:
    services = site.ports.services
    stages = [{"refId": "1", "type": "wait", "name": "Wait", "waitTime": 1}]
    for place, name in enumerate(NAMES):
        await site.post("/api/v1/pipelines", {"application": name, "name": "x", "stages": stages})
        await site.post("/api/v1/pipelines", {"application": "one", "name": f"y{name}", "stages": stages})
        await site.post("/pipelines/one/x")
        await site.post("/api/v1/people", {"name": name, "password": PASSWORD})
        await site.call("PUT", f"/api/v1/service-accounts/of-{name}", json={"roles": []})
        await site.call("PUT", f"/api/v1/secrets/{name}", json={"value": "long enough"})
        await services.definitions.save("project", "x", {"name": name}, author="ada")
        await site.ports.phases.put(
            Standing(application=name.lower(), phase=Phase.IMPORTED, since=AT, by="ada", imported_at=AT)
        )
        release = Release(
            id=f"rel_{name}",
            application="one",
            account="prod",
            region="here",
            cluster="one-prod",
            cloud_provider="local",
            server_group="one-prod-v001",
            image="one@sha256:0",
            execution_id="e1",
            released_at=AT + timedelta(seconds=place),
        )
        await services.documents("releases").put(f"one/{name}", mapping(to_json(release)))


async def walked(site: Website, path: str, name: str, *, limit: int) -> list[list[Any]]:
    pages: list[list[Any]] = []
    following: str | None = f"{path}{'&' if '?' in path else '?'}limit={limit}"
    while following is not None:
        answer = await site.get(following)
        assert answer.status == 200, answer.body
        pages.append(answer.json[name])
        link = answer.headers.get("link")
        assert (answer.json["next"] is None) == (link is None)
        following = None if link is None else link.removesuffix('>; rel="next"').removeprefix("<")
        assert len(pages) < 50
    return pages


def test_lists_are_walked_by_their_cursors(tmp_path: Path) -> None:
    async def work(site: Website) -> None:
        await furnish(site)
        for name, (path, count) in LISTS.items():
            key = "applications" if name == "imports" else name
            whole = (await site.get(path)).json[key]
            pages = await walked(site, path, key, limit=1)
            assert [one for page in pages for one in page] == whole, name
            assert len(whole) == count, name
            assert all(len(page) == 1 for page in pages[:count]), name
            for limit in (0, 201):
                refused = await site.get(f"{path}{'&' if '?' in path else '?'}limit={limit}")
                assert (refused.status, refused.json["code"]) == (400, "request.invalid"), name
        pages = await walked(site, "/api/v1/audit", "records", limit=7)
        numbers = [one["number"] for page in pages for one in page]
        assert numbers == [*range(1, len(numbers) + 1)]
        assert len(pages) > 1

    visit(work, harness=Harness(flow.plugin, data=tmp_path))


def test_what_is_added_between_two_pages_shifts_nothing(tmp_path: Path) -> None:
    async def work(site: Website) -> None:
        await furnish(site)
        first = (await site.get("/api/v1/secrets?limit=2")).json
        await site.call("PUT", "/api/v1/secrets/a", json={"value": "long enough"})
        second = (await site.get(f"/api/v1/secrets?limit=2&after={first['next']}")).json
        assert [one["name"] for one in (*first["secrets"], *second["secrets"])] == ["one", "three", "two"]

    visit(work, harness=Harness(flow.plugin, data=tmp_path))
