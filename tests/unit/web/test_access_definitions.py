"""Who may change projects and templates, which belong to no application: by real requests, as each role."""

from tests.fakes.website import Website
from tests.harness import ended
from tests.unit.web.test_access import SETTINGS, token_of, visit

from gennaker.model.codec import Json, JsonObject
from gennaker.plugins.definitions.plugin import plugin as definition_jobs


async def job(site: Website, who: str, kind: str, project: JsonObject) -> bool:
    """Whether it was done; if not, because who asks may not."""
    jobs: list[Json] = [{"type": kind, "project": project}]
    asked: JsonObject = {"application": "spinnaker", "description": "x", "project": project["name"], "job": jobs}
    answer = await site.post("/tasks", asked, token=await token_of(site, who))
    assert answer.status == 200, answer.body
    execution = await ended(site.ports.services, answer.json["ref"].removeprefix("/tasks/"))
    problems = next(execution.in_order()).context.get("problems") or []
    assert isinstance(problems, list)
    assert {one["code"] for one in problems if isinstance(one, dict)} <= {"access.denied", "access.not_admin"}
    return execution.head.status.is_successful


async def restored(site: Website, who: str, kind: str, definition_id: str) -> int:
    path = f"/api/v1/definitions/{kind}/{definition_id}/restore"
    return (await site.post(path, {"revision": 1}, token=await token_of(site, who))).status


def test_a_project_is_changed_by_who_has_made_it_or_may_change_its_applications() -> None:
    project: JsonObject = {"id": "p", "name": "Store", "config": {"applications": ["Shop"]}}

    async def work(site: Website) -> None:
        assert not await job(site, "outsider", "upsertProject", project), "shop can't be read"
        assert await job(site, "reader", "upsertProject", project)
        for who in ("outsider", "executor"):
            assert not await job(site, who, "upsertProject", {**project, "config": {}})
            assert not await job(site, who, "deleteProject", project)
            assert await restored(site, who, "projects", "p") == 403
        for who in ("reader", "writer", "admin"):
            assert await job(site, who, "upsertProject", {**project, "email": who})
            assert await restored(site, who, "projects", "p") == 200
        assert await job(site, "writer", "deleteProject", project)

    visit(work, SETTINGS, definition_jobs)


def test_a_project_of_no_application_is_its_makers() -> None:
    project: JsonObject = {"id": "p", "name": "Empty", "config": {"applications": ["nobody-has-saved-it"]}}

    async def work(site: Website) -> None:
        assert await job(site, "outsider", "upsertProject", project)
        assert not await job(site, "writer", "upsertProject", project)
        assert await restored(site, "writer", "projects", "p") == 403
        assert await job(site, "outsider", "upsertProject", project)
        assert await job(site, "admin", "deleteProject", project)

    visit(work, SETTINGS, definition_jobs)


def test_a_template_that_nothing_is_made_from_is_its_makers() -> None:
    template: JsonObject = {
        "schema": "v2",
        "id": "deliver",
        "metadata": {"name": "n", "description": "d", "owner": "o", "scopes": ["global"]},
        "variables": [],
        "pipeline": {"stages": []},
    }

    async def work(site: Website) -> None:
        async def sent(path: str, who: str) -> int:
            changed = {**template, "variables": [], "description": who}
            return (await site.post(f"/v2/pipelineTemplates/{path}", changed, token=await token_of(site, who))).status

        assert await sent("create", "reader") == 202
        assert await sent("update/deliver", "writer") in (400, 403)
        assert await restored(site, "writer", "templates", "deliver") == 403
        path, token = "/v2/pipelineTemplates/deliver", await token_of(site, "writer")
        assert (await site.call("DELETE", path, token=token)).status in (400, 403)
        assert await sent("update/deliver", "reader") == 202
        assert await sent("update/deliver", "admin") == 202
        assert (await site.call("DELETE", path, token=await token_of(site, "admin"))).status == 202

    visit(work, SETTINGS, definition_jobs)
