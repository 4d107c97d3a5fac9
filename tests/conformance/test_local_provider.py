"""The local provider: what it does beyond the port's conformance suite."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from tests.fakes.cloud_worlds import (
    IMAGE,
    LEAVE_REPORTS,
    LEFT_REPORTS,
    PLACE,
    drains_until_it_is_left,
    ended,
    group_with,
    local_world,
    until,
    wanted,
)
from tests.fakes.web_client import WebClient

from gennaker.interfaces.clouds import (
    Health,
    NewJob,
)
from gennaker.model.problems import Refused


@pytest.mark.slow
def test_local_gives_an_instance_what_the_image_and_the_request_say(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            await here.provider().create(wanted(here.image, MOOD="good", COLOUR="green"))
            (one,) = (await group_with(here, (Health.UP,))).instances
            assert one.address is not None
            client = WebClient(one.address)
            _, body = await client.get("/environment")
            client.close()

            seen = json.loads(body)
            environment = seen["environment"]
            given = {key: environment[key] for key in ("MOOD", "COLOUR", "GENNAKER_SERVER_GROUP", "GENNAKER_VERSION")}
            assert given == {
                "MOOD": "good",
                "COLOUR": "green",
                "GENNAKER_SERVER_GROUP": "shop-prod-v000",
                "GENNAKER_VERSION": "1.2.3-abc",
            }
            assert environment["PORT"] == one.address.rpartition(":")[2]
            assert seen["folder"].endswith("/rootfs/app")
            assert not {"PYTEST_CURRENT_TEST", "VIRTUAL_ENV"} & set(environment)
            assert here.source.pulls == 1

    asyncio.run(story())


@pytest.mark.slow
def test_local_restarts_a_crashed_instance_and_counts(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            await here.provider().create(wanted(here.image))
            (before,) = (await group_with(here, (Health.UP,))).instances
            assert before.address is not None
            client = WebClient(before.address)
            with pytest.raises(Exception, match=r"IncompleteRead|ConnectionReset"):
                await client.get("/crash")

            async def look() -> bool | None:
                ((after,),) = [group.instances for group in await here.provider().describe("shop")]
                return True if after.health is Health.UP and after.restarts == 1 else None

            await until(look)
            assert await client.get("/healthz") == (200, "health")
            client.close()

    asyncio.run(story())


@pytest.mark.slow
def test_local_calls_a_crash_loop_failed_and_shows_the_log(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            image = here.source.add("bad", "1", IMAGE, {"Cmd": ["sh", "-c", "echo no database; exit 7"]})
            await here.provider().create(wanted(image))
            (one,) = (await group_with(here, (Health.FAILED,))).instances

            assert one.restarts >= 3
            assert "crashed" in one.health_reason
            assert "no database" in one.health_reason

    asyncio.run(story())


@pytest.mark.slow
def test_local_calls_an_instance_down_that_answers_with_errors(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            await here.provider().create(wanted(here.image, HEALTH="500"))
            (one,) = (await group_with(here, (Health.DOWN,))).instances

            assert "/healthz answers 500" in one.health_reason

    asyncio.run(story())


@pytest.mark.slow
def test_local_lets_a_stopped_instance_finish_its_requests(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            await here.provider().create(wanted(here.image))
            (one,) = (await group_with(here, (Health.UP,))).instances

            await drains_until_it_is_left(here, one)

    asyncio.run(story())


@pytest.mark.slow
def test_local_refuses_an_image_with_nothing_to_run(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            image = here.source.add("empty", "1", IMAGE, {})

            with pytest.raises(Refused, match="neither an entrypoint nor a command"):
                await here.provider().create(wanted(image))

    asyncio.run(story())


@pytest.mark.slow
def test_local_runs_a_job_to_its_end_and_reads_its_reports(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            new = NewJob(
                key="job 2",
                place=PLACE,
                image=here.image,
                command=("sh", "-c", f"echo $GREETING; {LEAVE_REPORTS}; exit 4"),
                environment={"GREETING": "hello"},
                reports={
                    "junit": "report.xml",
                    "files": "out",
                    "empty": "out/none",
                    "escape": "../../../../run/run.json",
                    "none": "nothing.xml",
                },
            )
            job = await ended(here, await here.provider().run_job(new))

            assert (job.state, job.exit_status, job.reports) == (Health.FAILED, 4, LEFT_REPORTS)
            assert "exited with status 4" in job.reason
            assert "escape" in job.reason
            assert "empty (out/none) has no files" in job.reason
            assert (tmp_path / job.log).read_text() == "hello\n"

    asyncio.run(story())


@pytest.mark.slow
def test_local_stops_a_job_at_its_time_limit(tmp_path: Path) -> None:
    async def story() -> None:
        async with local_world(tmp_path) as here:
            new = NewJob(
                key="job 3",
                place=PLACE,
                image=here.image,
                command=("sleep", "60"),
                timeout=timedelta(seconds=0.3),
            )
            job = await ended(here, await here.provider().run_job(new))

            assert (job.state, job.reason) == (Health.FAILED, "The process was stopped at its time limit.")

    asyncio.run(story())
