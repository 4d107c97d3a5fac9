"""People, service accounts and API tokens by the API: what administrators do, and what everybody does for themselves."""

from datetime import timedelta
from typing import Any

from tests.fakes.website import TOKEN, Website
from tests.unit.access.test_signing_in import PASSWORD, basic, cookie_of, sign_in, status, visit

from gennaker.model.codec import milliseconds


async def tokens(site: Website, headers: dict[str, str]) -> Any:
    return (await site.get("/auth/apiTokens", token=None, headers=headers)).json


def in_days(site: Website, days: int) -> int | None:
    return milliseconds(site.ports.services.clock.now() + timedelta(days=days))


def test_an_administrator_adds_changes_and_disables_people() -> None:
    async def work(site: Website) -> None:
        eve = {"name": "Eve", "password": PASSWORD, "roles": ["Dev", "dev "]}
        added = await site.post("/api/v1/people", eve)
        assert (added.status, added.json["roles"]) == (201, ["dev"])
        assert (await site.post("/api/v1/people", eve)).status == 409
        for name in ("operator", "anonymous", "several", "a b", "../x", ""):
            assert (await site.post("/api/v1/people", {**eve, "name": name})).json["code"] == "identity.name"
        assert await status(site, basic("eve", PASSWORD)) == 200
        changed = await site.call("PATCH", "/api/v1/people/eve", json={"roles": ["ops"]})
        assert changed.json["roles"] == ["ops"]
        assert await status(site, basic("eve", PASSWORD)) == 200, "the password stays"
        session = cookie_of(await sign_in(site, "eve", PASSWORD))
        await site.call("PATCH", "/api/v1/people/eve", json={"isDisabled": True})
        assert [await status(site, one) for one in (session, basic("eve", PASSWORD))] == [401, 401]
        everything = str(await site.ports.services.audit.records()) + (await site.get("/api/v1/people")).body.decode()
        assert "argon2" not in everything
        assert PASSWORD not in everything

    visit(work)


def test_one_changes_ones_own_password_by_the_old_one() -> None:
    async def work(site: Website) -> None:
        session = cookie_of(await sign_in(site, "ada", PASSWORD))

        async def change(current: str) -> int:
            wanted = {"current": current, "password": "another good one"}
            return (await site.call("PUT", "/api/v1/me/password", token=None, json=wanted, headers=session)).status

        assert await change("wrong horse") == 401
        assert await change(PASSWORD) == 204
        assert await status(site, session) == 401, "whoever else had a session is out, too"
        assert await status(site, basic("ada", "another good one")) == 200

    visit(work)


def test_one_makes_lists_and_revokes_ones_own_tokens() -> None:
    async def work(site: Website) -> None:
        ada = basic("ada", PASSWORD)
        wanted = {"name": "laptop", "principalType": "USER", "expiresAt": in_days(site, 30), "scopes": ["read"]}
        made = (await site.post("/auth/apiTokens", wanted, token=None, headers=ada)).json
        token = {"x-spinnaker-token": made["token"]}
        assert await status(site, token) == 200
        listed = await tokens(site, ada)
        assert [(one["name"], one["scopes"], one["principalId"]) for one in listed] == [("laptop", ["READ"], "ada")]
        assert "token" not in listed[0]
        more = await site.post("/auth/apiTokens", wanted, token=None, headers=token)
        assert (more.status, more.json["code"]) == (403, "token.of_token")
        nameless = await site.post("/auth/apiTokens", {**wanted, "name": " "}, token=None, headers=ada)
        assert (nameless.status, nameless.json["problems"][0]["pointer"]) == (400, "/name")
        others = await site.post("/auth/apiTokens", {**wanted, "principalId": "eve"}, token=None, headers=ada)
        assert others.status == 403
        late = await site.post("/auth/apiTokens", {**wanted, "expiresAt": in_days(site, 91)}, token=None, headers=ada)
        assert late.json["code"] == "token.lifetime"
        assert (await site.call("DELETE", f"/auth/apiTokens/{made['id']}", token=None, headers=ada)).status == 204
        assert await status(site, token) == 401

    visit(work)


def test_a_token_of_a_service_account_takes_all_its_roles_and_ends_with_it() -> None:
    async def work(site: Website) -> None:
        await site.call("PUT", "/api/v1/service-accounts/robot", json={"roles": ["ops", "deploy"]})
        wanted = {
            "name": "ci",
            "principalType": "SERVICE_ACCOUNT",
            "principalId": "robot",
            "expiresAt": in_days(site, 300),
        }
        refused = await site.post("/auth/apiTokens", wanted, token=None, headers=basic("ada", PASSWORD))
        assert (refused.status, refused.json["code"]) == (403, "access.run_as")
        made = (await site.post("/auth/apiTokens", wanted, token=TOKEN)).json
        robot = {"x-spinnaker-token": made["token"]}
        user = (await site.get("/auth/user", token=None, headers=robot)).json
        assert (user["username"], user["roles"]) == ("robot", ["deploy", "ops"])
        await site.call("PUT", "/api/v1/service-accounts/robot", json={"roles": ["ops"], "isDisabled": True})
        assert await status(site, robot) == 401
        assert (await site.call("PUT", "/api/v1/service-accounts/ada", json={"roles": []})).status == 409, (
            "a person's name"
        )

    visit(work)


def test_tokens_are_told_as_gate_tells_them() -> None:
    async def work(site: Website) -> None:
        now = site.ports.services.clock.now()
        until = (now + timedelta(days=90)).isoformat().replace("+00:00", "Z")
        made = await site.post("/auth/apiTokens", {"name": "laptop"}, token=None, headers=basic("ada", PASSWORD))

        told = {**made.json, "token": "", "createdAt": ""}
        assert made.status == 201
        assert told == {
            "id": told["id"],
            "name": "laptop",
            "principalType": "USER",
            "principalId": "ada",
            "scopes": None,
            "createdByUserId": "ada",
            "createdAt": "",
            "expiresAt": told["expiresAt"],
            "token": "",
        }
        assert told["expiresAt"][:16] == until[:16], "as late as may be"
        assert made.json["createdAt"][:16] == now.isoformat()[:16]

    visit(work)


def test_one_sees_the_service_accounts_that_one_may_make_tokens_of() -> None:
    async def work(site: Website) -> None:
        for name, roles in (("robot", ["ops"]), ("root", ["ops", "deploy"]), ("gone", ["ops"])):
            await site.call("PUT", f"/api/v1/service-accounts/{name}", json={"roles": roles})
        await site.call("PUT", "/api/v1/service-accounts/gone", json={"roles": ["ops"], "isDisabled": True})
        path = "/auth/apiTokens/serviceAccounts"

        own = (await site.get(path, token=None, headers=basic("ada", PASSWORD))).json
        every = (await site.get(path)).json

        assert own == [{"name": "robot", "memberOf": ["ops"]}]
        assert [one["name"] for one in every] == ["robot", "root"]
        made = {"name": "ci", "principalType": "SERVICE_ACCOUNT", "principalId": own[0]["name"]}
        assert (await site.post("/auth/apiTokens", made, token=None, headers=basic("ada", PASSWORD))).status == 201

    visit(work)


def test_administrators_see_the_tokens_of_all_people_and_nobody_else_does() -> None:
    async def work(site: Website) -> None:
        ada = basic("ada", PASSWORD)
        await site.call("PUT", "/api/v1/service-accounts/robot", json={"roles": ["ops"]})
        await site.post("/auth/apiTokens", {"name": "laptop"}, token=None, headers=ada)
        of_robot = {"name": "ci", "principalType": "SERVICE_ACCOUNT", "principalId": "robot"}
        await site.post("/auth/apiTokens", of_robot, token=None, headers=ada)
        path = "/auth/apiTokens/admin/users"

        seen = (await site.get(path)).json

        assert [(one["name"], one["principalId"], "token" in one) for one in seen] == [("laptop", "ada", False)]
        assert (await site.get(path, token=None, headers=ada)).status == 403

    visit(work)


def test_what_cannot_be_a_name_is_nobodys() -> None:
    async def work(site: Website) -> None:
        for name in ("%00", "x" * 300, "%E2%80%AE"):
            assert (await site.call("PATCH", f"/api/v1/people/{name}", json={"roles": []})).status == 404
        assert await status(site, basic("a\0da", PASSWORD)) == 401

    visit(work)
