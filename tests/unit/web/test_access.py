"""Who may do what: every route as every role, by real requests, against the committed table."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import msgspec
from tests.fakes.website import NOT_OFFERED, Answer, Website
from tests.harness import Harness, ended, problem_of

from gennaker.access.credentials import Token
from gennaker.access.identities import Person, ServiceAccount
from gennaker.interfaces.executions import Update
from gennaker.interfaces.plugins import Plugin
from gennaker.model.codec import Json, JsonObject
from gennaker.model.permissions import Right
from gennaker.model.principal import Principal
from gennaker.plugins.definitions.plugin import plugin as definition_jobs
from gennaker.plugins.flow.plugin import plugin as flow
from gennaker.plugins.local.plugin import plugin as local
from gennaker.settings import AccountSettings, Settings, SignInSettings
from gennaker.web import access_rules, heads

TABLE = Path(__file__).parent / "access_table.txt"
ROLES = ("nobody", "outsider", "reader", "executor", "writer", "admin")
"""Each of the middle ones has one right on the application shop, and reading it; `outsider` has signed in and has none."""
PERMISSIONS: JsonObject = {
    "READ": ["reader", "executor", "writer"],
    "EXECUTE": ["executor"],
    "WRITE": ["writer"],
}
SETTINGS = Settings(
    sign_in=SignInSettings(required=True),
    accounts={"prod": AccountSettings(permissions={"READ": ("reader", "executor", "writer"), "WRITE": ("writer",)})},
)
OPERATOR = Principal(name="operator", is_operator=True)
VALUES = {
    "application": "shop",
    "account": "prod",
    "master": "prod",
    "config_id": "p1",
    "pipeline_id": "p1",
    "definition_id": "p1",
    "kind": "pipelines",
    "execution_id": "e1",
    "task_id": "t1",
    "revision": "1",
    "name": "shop-main-v001",
    "strategy_id": "s1",
    "path": "x.js",
    "template_id": "t1",
}
"""What stands in the paths: things of the application shop."""
BODIES: dict[str, Json] = {
    "POST /auth/apiTokens": {"name": "x", "expiresAt": "no time"},  # a right one is refused to all who come by a token
    "POST /tasks": {"application": "shop", "description": "x", "job": [{"type": "wait"}]},
    "POST /ops": {"application": "shop", "description": "x", "job": [{"type": "wait"}]},
    "POST /applications/{application}/tasks": {"description": "x", "job": [{"type": "wait"}]},
    "PATCH /pipelines/{execution_id}/stages/{stage_id}": {"judgmentStatus": "maybe"},
    "PUT /artifacts/fetch": {"type": "helm/chart", "artifactAccount": "prod"},
    "POST /pipelines/bulksave": [{"application": "shop", "name": "Bulk", "stages": []}],
}
WALKED = (
    "/pipelineTemplates",
    "/admin/executions/forceCancel",
    "/admin/forceCancelExecution",
    "/bakery/options",
    "/codebuild/accounts",
    "/gcb/accounts",
    "/managed/{rest}",
)
"""Some of the parts that aren't offered, and what is offered in spite of its name."""
ANY_BODY: JsonObject = {
    "application": "shop",
    "revision": 1,
    "judgment": "continue",
    "id": "",
    "name": "x",
    "cluster": "x",
}


def visit(work: Callable[[Website], Awaitable[None]], settings: Settings = SETTINGS, *plugins: Plugin) -> Harness:
    harness = Harness(flow, *plugins, settings=settings)

    async def main() -> None:
        async with harness.process() as core:
            site = Website(harness, core)
            await furnish(site)
            await work(site)

    harness.time.run(main())
    return harness


async def furnish(site: Website) -> None:
    """An application with something of everything, and a person for each role."""
    services = site.ports.services
    since = services.clock.now()
    for name in ROLES[1:]:
        await site.sign_in.identities.add_person(Person(name=name, roles=(name,), since=since))
    body: JsonObject = {"name": "shop", "permissions": PERMISSIONS}
    await services.definitions.save("application", "shop", body, author="test")
    stages: list[Json] = [{"type": "manualJudgment", "refId": "1", "name": "Judge"}]
    pipeline: JsonObject = {"application": "shop", "name": "Ship", "id": "p1", "stages": stages}
    await services.definitions.save("pipeline", "p1", pipeline, author="test")
    await services.definitions.save("strategy", "s1", {**pipeline, "id": "s1"}, author="test")
    for path, wanted in (("/pipelines/shop/Ship", {"executionId": "e1"}), ("/tasks", {})):
        job: JsonObject = {"application": "shop", "executionId": "t1", "description": "x", "job": list[Json](stages)}
        answer = await site.post(path, wanted or job)
        assert answer.status in (200, 202), answer.json


async def token_of(site: Website, name: str, *, scopes: tuple[Right, ...] | None = None) -> str | None:
    if name == "nobody":
        return None
    now = site.ports.services.clock.now()
    until = now + timedelta(days=1)
    token = Token(id="", name="test", holder=name, scopes=scopes, made_by="test", made_at=now, until=until)
    return await site.sign_in.new_token(token, by=OPERATOR)


def routes(site: Website) -> list[tuple[str, str]]:
    """Method and path of each; what isn't offered once for all that is below."""
    found = {
        (method, route.path_format.rstrip("/") or "/")
        for route in site.routes
        for method in getattr(route, "methods", set()) - {"OPTIONS"}
    }
    order = {"GET": 0, "POST": 1, "PUT": 1, "PATCH": 1, "DELETE": 2}
    # Deleting comes last: what is gone can't be refused.
    return sorted(found, key=lambda one: (order[one[0]], one[1] == "/api/v1/events", one[1], one[0]))


async def answer_to(site: Website, method: str, template: str, token: str | None) -> Answer:
    path = template.replace("/credentials/{name}", "/credentials/prod")
    for name, value in VALUES.items():
        path = path.replace(f"{{{name}}}", value)
    path = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
    if path.endswith("failedStages"):
        path += "?executionId=e1"
    if path == "/tasks/cancel":
        path += "?ids=t1"
    body = None if method in ("GET", "HEAD") else BODIES.get(f"{method} {template}", ANY_BODY)
    return await site.call(method, path, token=token, json=body)


async def walked(site: Website) -> list[str]:
    """The table as it is: one line a route, a letter a role."""
    tokens = {name: await token_of(site, name) for name in ROLES}
    lines = []
    for method, template in routes(site):
        if template.startswith(NOT_OFFERED) and template not in WALKED:
            continue
        if template == "/api/v1/events":
            site.ports.ending.set()  # else it would never end
        letters = []
        for name in ROLES:
            status = (await answer_to(site, method, template, tokens[name])).status
            letters.append({401: "?", 429: "?", 403: "-"}.get(status, "x"))
        lines.append(f"{''.join(letters)}  {method} {template}")
    return sorted(lines, key=lambda line: line.split("  ")[1].split(" ")[::-1])


def test_every_route_answers_every_role_as_the_table_says() -> None:
    found: list[str] = []
    refused: list[int] = []

    async def work(site: Website) -> None:
        found.extend(await walked(site))
        await site.refusals.settle()
        records = [one.entry for one in await site.ports.services.audit.records(limit=100_000)]
        told = [one for one in records if one.action in ("access.refused", "sign_in.refused", "request.refused")]
        refused.append(sum(int(str(one.details.get("more", 1))) for one in told))

    visit(work)

    letters = "".join(line.split("  ")[0] for line in found)
    of_first_person = 2  # told 409 to an administrator
    assert refused == [letters.count("?") + letters.count("-") + of_first_person], (
        "each is in the audit, or counted there"
    )
    expected = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    assert found == expected


def test_head_is_refused_to_whom_get_is() -> None:
    async def work(site: Website) -> None:
        for name in ("nobody", "outsider"):
            token = await token_of(site, name)
            for method, template in routes(site):
                if method != "GET" or template in heads.LEFT_OUT or template.startswith(NOT_OFFERED):
                    continue
                got = await answer_to(site, "GET", template, token)
                assert (name, template, (await answer_to(site, "HEAD", template, token)).status) == (
                    name,
                    template,
                    got.status,
                )

    visit(work)


def test_every_rule_is_of_a_route_and_every_route_without_one_is_the_administrators() -> None:
    async def work(site: Website) -> None:
        known = {f"{method} {template}" for method, template in routes(site)}
        assert access_rules.RULES.keys() <= known
        assert len(set(map(access_rules.form, access_rules.RULES))) == len(access_rules.RULES)
        outsider, admin = await token_of(site, "outsider"), await token_of(site, "admin")
        for route in known - access_rules.RULES.keys():
            method, _, template = route.partition(" ")
            assert (await answer_to(site, method, template, outsider)).status == 403, route
            if template not in ("/api/v1/stop", "/api/v1/events"):
                assert (await answer_to(site, method, template, admin)).status != 403, route

    visit(work)


def test_lists_leave_out_what_cannot_be_read() -> None:
    async def work(site: Website) -> None:
        seen = {}
        for name in ("outsider", "reader", "admin"):
            token = await token_of(site, name)
            seen[name] = (
                len((await site.get("/applications", token=token)).json),
                len((await site.get("/pipelineConfigs", token=token)).json),
                len((await site.get("/strategyConfigs", token=token)).json),
                len((await site.get("/executions?executionIds=e1", token=token)).json),
                len((await site.get("/tasks", token=token)).json),
                len((await site.get("/applications/*/executions/search", token=token)).json),
                (await site.get("/search?type=applications", token=token)).json[0]["totalMatches"],
                len((await site.get("/api/v1/executions", token=token)).json["executions"]),
                len((await site.get("/api/v1/pipelines", token=token)).json["pipelines"]),
            )
        assert seen["outsider"] == (0,) * 9
        assert seen["reader"] == seen["admin"] == (1, 1, 1, 1, 1, 1, 1, 2, 1)

    visit(work)


def test_a_token_may_do_what_its_scopes_say_and_not_more_even_an_administrators() -> None:
    async def work(site: Website) -> None:
        token = await token_of(site, "admin", scopes=(Right.READ,))
        assert (await site.get("/applications/shop", token=token)).status == 200
        for method, path in (("PUT", "/pipelines/e1/cancel"), ("GET", "/api/v1/audit"), ("POST", "/api/v1/stop")):
            answer = await site.call(method, path, token=token)
            assert (answer.status, answer.json["code"]) == (403, "access.out_of_scope"), path
        everybodys: JsonObject = {"type": "upsertProject", "project": {"name": "p"}}
        job: JsonObject = {"application": "spinnaker", "description": "x", "job": [everybodys]}
        for scopes, status in (((Right.READ,), 403), ((Right.EXECUTE,), 403), ((Right.WRITE,), 200)):
            narrow = await token_of(site, "outsider", scopes=scopes)
            assert (await site.post("/tasks", job, token=narrow)).status == status, scopes
            revoked = await site.call("DELETE", "/auth/apiTokens/x", token=narrow)
            assert revoked.status == (404 if status == 200 else 403), scopes
        planned = await site.post("/v2/pipelineTemplates/plan", {}, token=token)
        assert planned.status == 200, "it only reads"

    visit(work)


def test_a_pipeline_cannot_be_taken_from_an_application_by_saving_it_elsewhere() -> None:
    async def work(site: Website) -> None:
        services = site.ports.services
        own: JsonObject = {"name": "own", "permissions": {"READ": ["outsider"], "WRITE": ["outsider"]}}
        await services.definitions.save("application", "own", own, author="test")
        token = await token_of(site, "outsider")
        stolen: JsonObject = {"application": "own", "name": "Ship", "id": "p1", "stages": []}
        job: JsonObject = {
            "application": "own",
            "description": "x",
            "job": [{"type": "savePipeline", "pipeline": stolen}],
        }

        for path in ("/pipelines", "/api/v1/pipelines"):
            assert (await site.post(path, stolen, token=token)).status == 403
        assert (await site.post("/pipelines/bulksave", [stolen], token=token)).json["failed_pipelines_count"] == 1
        await site.post("/tasks", job, token=token)
        kept = await services.definitions.get("pipeline", "p1")
        assert kept is not None
        assert kept.body["application"] == "shop"

    visit(work)


def test_jobs_ask_for_the_application_that_they_change_not_for_the_one_they_name() -> None:
    async def work(site: Website) -> None:
        own: JsonObject = {"name": "own", "permissions": {"WRITE": ["outsider"], "READ": ["outsider"]}}
        await site.ports.services.definitions.save("application", "own", own, author="test")
        token = await token_of(site, "outsider")
        jobs: list[JsonObject] = [
            {"type": "deleteApplication", "application": {"name": "shop"}},
            {"type": "updateApplication", "application": {"name": "shop", "permissions": {}}},
            {"type": "createApplication", "application": {"name": "Shop", "permissions": {}}},
            {"type": "deletePipeline", "pipeline": {"application": "shop", "name": "Ship"}},
            {"type": "destroyServerGroup", "serverGroupName": "shop-v001", "credentials": "free", "region": "x"},
            {"type": "resizeServerGroup", "serverGroupName": "own-v001", "credentials": "prod", "region": "x"},
            {"type": "createServerGroup", "application": "shop", "account": "free"},
            {"type": "deploy", "clusters": [{"application": "own", "cluster": {"account": "prod"}}]},
        ]
        for job in jobs:
            wanted: JsonObject = {"application": "own", "description": "x", "job": [job]}
            assert (await site.post("/tasks", wanted, token=token)).status == 403, job
        free: JsonObject = {"type": "resizeServerGroup", "serverGroupName": "own-v001", "credentials": "free"}
        wanted = {"application": "own", "description": "x", "job": [free]}
        assert (await site.post("/tasks", wanted, token=token)).status == 200

    visit(work)


def test_people_are_told_the_accounts_that_they_may_change() -> None:
    async def work(site: Website) -> None:
        told = [(await site.get("/auth/user", token=await token_of(site, one))).json for one in ("reader", "writer")]
        assert [one["allowedAccounts"] for one in told] == [[], ["local"]]

    visit(work, msgspec.structs.replace(SETTINGS, accounts={"local": SETTINGS.accounts["prod"]}), local)


def test_who_saves_a_trigger_must_have_all_roles_of_whom_it_runs_as() -> None:
    async def work(site: Website) -> None:
        identities, since = site.sign_in.identities, site.ports.services.clock.now()
        await identities.add_service_account(ServiceAccount(name="robot", roles=("writer", "executor"), since=since))
        await identities.add_person(Person(name="both", roles=("writer", "executor"), since=since))
        trigger: JsonObject = {"type": "webhook", "source": "ci", "enabled": True, "runAsUser": "robot"}
        saved: JsonObject = {"application": "shop", "name": "Robot", "stages": [], "triggers": [trigger]}

        refused = await site.post("/pipelines", saved, token=await token_of(site, "writer"))
        assert (refused.status, refused.json["code"]) == (403, "access.run_as")
        unknown: JsonObject = {**saved, "triggers": [{**trigger, "runAsUser": "nobody-known"}]}
        assert (await site.post("/pipelines", unknown, token=await token_of(site, "both"))).status == 403
        assert (await site.post("/pipelines", saved, token=await token_of(site, "both"))).status == 200
        assert (await site.get("/auth/user/serviceAccounts", token=await token_of(site, "both"))).json == ["robot"]
        assert (await site.get("/auth/user/serviceAccounts", token=await token_of(site, "writer"))).json == []

        await site.post("/webhooks/webhook/ci", {}, token=None)
        started = (await site.get("/applications/shop/pipelines")).json
        users = [one["authentication"]["user"] for one in started if one["name"] == "Robot"]
        assert users == ["robot"]
        asked = await site.post(
            "/pipelines/shop/Ship", {"type": "manual", "runAsUser": "robot"}, token=await token_of(site, "executor")
        )
        assert (asked.status, asked.json["code"]) == (403, "access.run_as"), "nor may one start it as somebody else"

    visit(work)


def test_a_trigger_without_run_as_starts_nothing_of_a_restricted_application() -> None:
    async def work(site: Website) -> None:
        trigger: JsonObject = {"type": "webhook", "source": "ci", "enabled": True}
        saved: JsonObject = {"application": "shop", "name": "Hook", "stages": [], "triggers": [trigger]}
        assert (await site.post("/pipelines", saved)).status == 200

        answer = await site.post("/webhooks/webhook/ci", {}, token=None)

        assert answer.status == 200, "the sender learns nothing of it"
        assert [one["name"] for one in (await site.get("/applications/shop/pipelines")).json] == ["Ship"]
        told = [
            one.entry for one in await site.ports.services.audit.records() if one.entry.action == "execution.refused"
        ]
        assert [(one.actor, one.details["application"]) for one in told] == [("anonymous", "shop")]

    visit(work)


def test_a_stage_is_kept_from_an_account_that_its_user_may_not_write() -> None:
    async def work(site: Website) -> None:
        stages: list[Json] = [{"type": "wait", "refId": "1", "waitTime": 1, "account": "prod"}]
        config: JsonObject = {"application": "shop", "name": "Deploy", "stages": stages, "executionId": "d1"}
        assert (await site.post("/orchestrate", config, token=await token_of(site, "executor"))).status == 200
        execution = await ended(site.ports.services, "d1")
        assert "executor has no WRITE permission on the account prod" in problem_of(execution)

    visit(work)


def test_every_refusal_is_audited_with_who_and_what() -> None:
    async def work(site: Website) -> None:
        await site.call("PUT", "/pipelines/e1/cancel", token=await token_of(site, "reader"))
        found = [one.entry for one in await site.ports.services.audit.records() if one.entry.action == "access.refused"]
        assert [(one.actor, one.subject) for one in found] == [("reader", "route:PUT /pipelines/e1/cancel")]

    visit(work)


async def token_of_account(site: Website, name: str, *roles: str, made_by: str = "x") -> str:
    """Of a service account that is made for it."""
    now = site.ports.services.clock.now()
    await site.sign_in.identities.add_service_account(ServiceAccount(name=name, roles=roles, since=now))
    until = now + timedelta(days=1)
    token = Token(id="", name="t", holder=name, is_service_account=True, made_by=made_by, made_at=now, until=until)
    return await site.sign_in.new_token(token, by=OPERATOR)


def test_what_else_is_put_into_a_stage_takes_write() -> None:
    async def work(site: Website) -> None:
        stage = (await site.get("/pipelines/e1", token=await token_of(site, "reader"))).json["stages"][0]["id"]
        path = f"/pipelines/e1/stages/{stage}"
        executor = await token_of(site, "executor")
        assert (await site.call("PATCH", path, json={"account": "prod"}, token=executor)).status == 403
        assert (await site.call("PATCH", path, json={"judgmentStatus": "no"}, token=executor)).status == 200
        assert (
            await site.call("PATCH", path, json={"requiredApprovals": 1}, token=await token_of(site, "admin"))
        ).status == 409

    visit(work)


def test_passing_over_a_freeze_takes_write() -> None:
    async def work(site: Website) -> None:
        stages: list[Json] = [{"type": "waitForCondition", "refId": "1", "name": "Freeze", "cluster": "shop-main"}]
        body: JsonObject = {"application": "shop", "name": "Frozen", "id": "p3", "stages": stages}
        await site.ports.services.definitions.save("pipeline", "p3", body, author="test")
        await site.post("/pipelines/shop/Frozen", {"executionId": "e3"}, token=await token_of(site, "admin"))
        frozen = await ended(site.ports.services, "e3")
        for named in ("1", "Freeze", next(frozen.in_order()).id):
            path = f"/api/v1/executions/e3/stages/{named}/skip"
            assert (await site.post(path, {}, token=await token_of(site, "executor"))).status == 403
            assert (await site.post(path, {}, token=await token_of(site, "admin"))).status != 403

    visit(work)


def test_nobody_comes_as_a_service_account_of_his_name() -> None:
    async def work(site: Website) -> None:
        await token_of_account(site, "robot", "writer")
        assert await site.sign_in.by_proxy("robot", ("reader",), via="proxy", address="") is None
        namesake = Principal(name="robot", roles=frozenset({"reader"}), via="proxy")
        refused = await site.ports.services.authoriser.refusal_to_act_as(namesake, "robot")
        assert refused is not None

    visit(work)


def test_a_template_is_changed_only_by_who_may_change_the_pipelines_that_are_made_from_it() -> None:
    async def work(site: Website) -> None:
        tokens = {name: await token_of(site, name) for name in ROLES[1:]}
        template: JsonObject = {
            "schema": "v2",
            "id": "deliver",
            "metadata": {"scopes": ["global"]},
            "pipeline": {
                "stages": [],
                "triggers": [{"type": "webhook", "source": "x", "enabled": True, "runAsUser": "a"}],
            },
        }

        async def sent(path: str, who: str) -> int:
            answer = await site.post(f"/v2/pipelineTemplates/{path}", template, token=tokens[who])
            assert answer.status == 202 or b"no WRITE permission on the application shop" in answer.body
            return answer.status

        assert await sent("create", "outsider") == 202, "nobody uses it yet"
        use: JsonObject = {
            "schema": "v2",
            "type": "templatedPipeline",
            "application": "shop",
            "name": "Made",
            "template": {"reference": "spinnaker://deliver"},
        }
        saved = await site.post("/pipelines", use, token=tokens["writer"])
        assert saved.status == 200, saved.body
        for who, ends in (("outsider", 400), ("executor", 400), ("writer", 202)):
            assert await sent("update/deliver", who) == ends, who
        assert await sent("create?tag=stable", "outsider") == 400, "it would be the latest"
        restore = "/api/v1/definitions/templates/deliver/restore"
        assert (await site.post(restore, {"revision": 1}, token=tokens["executor"])).status == 403
        assert (await site.post(restore, {"revision": 1}, token=tokens["writer"])).status == 200
        planned = await site.post("/v2/pipelineTemplates/plan", use, token=tokens["reader"])
        assert "runAsUser" not in planned.json["triggers"][0]

    visit(work, SETTINGS, definition_jobs)


def test_a_live_stream_ends_within_a_minute_of_what_its_reader_was_let_in_with() -> None:
    async def work(site: Website) -> None:
        token = await token_of(site, "reader")
        assert token is not None
        updates = site.ports.services.updates
        async with site.stream("/api/v1/events", token=token) as events:
            assert (await anext(events)).startswith("event: hello")
            person = await site.sign_in.identities.person("reader")
            assert person is not None
            no_roles = msgspec.structs.replace(person, roles=())
            await site.sign_in.change_person(no_roles, before=person, by=OPERATOR)
            await asyncio.sleep(61)
            updates.publish(Update(topic="execution", id="e1", application="shop"))
            updates.publish(Update(topic="traffic", id="t1", application=""))
            seen = [await anext(events) for _ in range(5)]
            assert any("traffic" in one for one in seen)
            assert not any("e1" in one for one in seen), "without a role it may no longer be read"
            off = msgspec.structs.replace(no_roles, is_disabled=True)
            await site.sign_in.change_person(off, before=no_roles, by=OPERATOR)
            await asyncio.sleep(61)
            updates.publish(Update(topic="traffic", id="t2", application=""))
            assert not [one async for one in events if "t2" in one]

    visit(work)
