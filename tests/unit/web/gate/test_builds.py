"""Gate's routes to CI systems: lists over a Jenkins, what goes wrong with it, and who may look."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.fakes.ci_worlds import TOKEN, JenkinsWorld, served
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.access.credentials import Token
from gennaker.access.identities import Person
from gennaker.interfaces.ci import MOST_JOBS, JobNames
from gennaker.interfaces.plugins import Plugin
from gennaker.model.codec import JsonObject
from gennaker.model.principal import Principal
from gennaker.plugins.build import plugin as build
from gennaker.plugins.jenkins import plugin as jenkins
from gennaker.plugins.jenkins.system import Jenkins
from gennaker.settings import AccountSettings, CiSettings, Settings, SignInSettings

JOB = "team/job/app"


class Place:
    """An installation with a Jenkins."""

    def __init__(self, world: JenkinsWorld, data: Path) -> None:
        (data / "token").write_text(TOKEN)
        self.world = world
        self.ci = world.settings(str(data / "token"))

    def visit(self, work: Callable[[Website], Awaitable[None]], ci: CiSettings | None = None) -> None:
        settings = Settings(ci={"main": ci or self.ci})
        visit(work, harness=Harness(jenkins.plugin, build.plugin, settings=settings, runs_services=False))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with served(JenkinsWorld()) as world:
        yield Place(world, tmp_path)


async def get(site: Website, path: str, *, status: int = 200) -> Any:
    answer = await site.get(path, token=None)
    assert answer.status == status, (path, answer.body)
    return answer.json


async def token_of(site: Website, name: str) -> str:
    now = site.ports.services.clock.now()
    token = Token(id="", name="test", holder=name, made_by="test", made_at=now, until=now + timedelta(days=1))
    return await site.sign_in.new_token(token, by=Principal(name="operator", is_operator=True))


def test_systems_are_listed_by_their_type_and_decks_stage_gets_them_all(place: Place) -> None:
    async def work(site: Website) -> None:
        for path in ("/v2/builds", "/v3/builds", "/v2/builds?type=jenkins"):
            assert sorted(await get(site, path)) == ["builder", "main"]
        assert await get(site, "/v3/builds?type=builder") == ["builder"]
        assert await get(site, "/v2/builds?type=wercker") == []

    place.visit(work)


def test_the_older_routes_say_the_same_as_the_newer_ones(place: Place) -> None:
    place.world.run({"branch": "main"})
    place.world.finish(files={"app.jar": b"jar"})

    async def work(site: Website) -> None:
        assert await get(site, "/v3/builds/main/jobs") == await get(site, "/v2/builds/main/jobs") == [JOB]
        job = await get(site, f"/v3/builds/main/job?job={JOB}")
        assert (job["name"], job["buildable"], job["upstreamProjectList"]) == (JOB, True, [])
        assert await get(site, f"/v2/builds/main/jobs/{JOB}") == job
        [listed] = await get(site, f"/v3/builds/main/builds?job={JOB}")
        assert await get(site, f"/v2/builds/main/builds/{JOB}") == [listed]
        one = await get(site, f"/v3/builds/main/build/1?job={JOB}")
        assert await get(site, f"/v2/builds/main/build/1/{JOB}") == one
        assert {**one, "artifacts": []} == listed
        assert [file["fileName"] for file in one["artifacts"]] == ["app.jar"]

    place.visit(work)


def test_a_list_that_is_cut_has_a_header_that_says_so(place: Place) -> None:
    place.world.others = MOST_JOBS

    async def work(site: Website) -> None:
        answer = await site.get("/v3/builds/main/jobs", token=None)
        assert (len(answer.json), answer.headers.get("x-gennaker-cut")) == (MOST_JOBS, "true")
        assert "x-gennaker-cut" not in (await site.get("/v3/builds/builder/jobs", token=None)).headers

    place.visit(work)


def test_many_who_look_ask_once_and_later_again(place: Place) -> None:
    async def work(site: Website) -> None:
        clock = site.ports.services.clock
        for _ in range(2):
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(get(site, f"/v3/builds/main/builds?job={JOB}"))
        assert len(place.world.target.asked) == 1
        place.world.run({})
        await clock.sleep_until(clock.now() + timedelta(seconds=11))
        assert len(await get(site, f"/v3/builds/main/builds?job={JOB}")) == 1

    place.visit(work)


def test_a_system_that_is_down_is_503_and_one_that_doesn_t_let_us_in_502(place: Place, tmp_path: Path) -> None:
    async def down(site: Website) -> None:
        place.world.is_down = True
        for path in ("jobs", f"job?job={JOB}", f"builds?job={JOB}", f"build/1?job={JOB}"):
            said = await get(site, f"/v3/builds/main/{path}", status=503)
            assert (said["code"], "503" in said["message"]) == ("ci.unavailable", True)
        place.world.is_down = False
        clock = site.ports.services.clock
        await clock.sleep_until(clock.now() + timedelta(seconds=3))
        assert await get(site, "/v3/builds/main/jobs") == [JOB]

    async def locked_out(site: Website) -> None:
        said = await get(site, "/v3/builds/main/jobs", status=502)
        assert (said["code"], "401" in said["message"]) == ("ci.refused", True)

    async def misread(site: Website) -> None:
        assert (await get(site, "/v3/builds/main/jobs", status=502))["code"] == "ci.secret"

    place.visit(down)
    (tmp_path / "wrong").write_text("wrong")
    place.visit(locked_out, replace(place.ci, token_file=str(tmp_path / "wrong")))
    place.visit(misread, replace(place.ci, token_file=str(tmp_path / "none")))


def test_a_system_that_is_too_slow_is_given_up(place: Place) -> None:
    class Slow(Jenkins):
        async def jobs(self) -> JobNames:
            await asyncio.sleep(3600)
            return JobNames(names=())

    async def work(site: Website) -> None:
        said = await get(site, "/v3/builds/slow/jobs", status=503)
        assert "didn't answer within 45 seconds" in said["message"]

    visit(work, harness=Harness(Plugin(name="slow", ci=(lambda _: (Slow("slow", place.ci),),))))


def test_only_who_may_read_a_system_sees_it_and_the_builder_s_builds_are_an_application_s(place: Place) -> None:
    settings = Settings(
        sign_in=SignInSettings(required=True),
        ci={"main": place.ci},
        accounts={"main": AccountSettings(permissions={"READ": ("team",)})},
    )

    async def work(site: Website) -> None:
        services = site.ports.services
        body: JsonObject = {"name": "builder", "permissions": {"READ": ["builders"]}}
        await services.definitions.save("application", "builder", body, author="test")
        seen: dict[str, object] = {}
        for name in ("team", "builders", "others"):
            await site.sign_in.identities.add_person(Person(name=name, roles=(name,), since=services.clock.now()))
            token = await token_of(site, name)
            listed = (await site.get("/v2/builds", token=token)).json
            jobs = [(await site.get(f"/v3/builds/{one}/jobs", token=token)).status for one in ("main", "builder")]
            seen[name] = (sorted(listed), jobs)
        assert seen == {
            "team": (["builder", "main"], [200, 403]),
            "builders": (["builder"], [403, 200]),
            "others": (["builder"], [403, 403]),
        }

    visit(work, harness=Harness(jenkins.plugin, build.plugin, settings=settings, runs_services=False))


def test_what_there_is_not_is_404_and_what_names_nothing_400(place: Place) -> None:
    async def work(site: Website) -> None:
        assert (await get(site, "/v3/builds/other/jobs", status=404))["code"] == "ci.unknown"
        assert (await get(site, "/v3/builds/main/job?job=none", status=404))["code"] == "ci.missing"
        assert (await get(site, f"/v3/builds/main/build/7?job={JOB}", status=404))["code"] == "ci.missing"
        assert (await get(site, "/v3/builds/main/job?job=a/../b", status=400))["code"] == "ci.path"
        await get(site, "/v3/builds/main/job", status=400)

    place.visit(work)
