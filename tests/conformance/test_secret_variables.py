"""Variables that refer to secrets, of instances and jobs: filled in when they start, kept nowhere, masked in what comes back."""

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.conformance import subjects
from tests.fakes.cloud_worlds import PLACE, DockerWorld, LocalWorld, ended, until, wanted, world
from tests.fakes.secrets import store
from tests.fakes.web_client import WebClient
from tests.harness import TESTER

from gennaker.access.stored_secrets import SecretRules
from gennaker.interfaces.clouds import Health, NewJob
from gennaker.model.codec import encode
from gennaker.model.problems import Refused

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("containers")]

SECRET, RENEWED = "the hub's token", "another token of the hub"
ENVIRONMENT = {"TOKEN": "Bearer secret://store?n=hub", "COLOUR": "green"}


@pytest.fixture(params=subjects.params(dict.fromkeys(("local", "docker")), debian=("docker",), root=("docker",)))
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


def test_secrets_reach_what_they_are_for_and_nothing_that_is_kept(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    engine = request.getfixturevalue("containers") if kind == "docker" else None
    kept, of_shop = store(tmp_path), SecretRules(applications=("shop",))

    async def environment(here: LocalWorld | DockerWorld, *, restarts: int) -> dict[str, str]:
        async def up() -> str | None:
            (group,) = await here.provider().describe("shop")
            found = (one for one in group.instances if one.health is Health.UP and one.restarts == restarts)
            return next((one.address for one in found), None)

        client = WebClient(await until(up))
        _, body = await client.get("/environment")
        await kept.set("hub", RENEWED, of_shop, by=TESTER)
        with pytest.raises(Exception, match=r"IncompleteRead|ConnectionReset"):
            await client.get("/crash")
        client.close()
        return dict(json.loads(body)["environment"])

    async def story() -> None:
        async with world(kind, tmp_path, engine) as here:
            assert isinstance(here, LocalWorld | DockerWorld)
            here.secrets.offer([kept])
            await kept.set("hub", SECRET, of_shop, by=TESTER)
            new = replace(wanted(here.image), environment=ENVIRONMENT, application="shop")
            command = ("/bin/sh", "-c", "echo ${#TOKEN} $TOKEN $COLOUR")
            job = NewJob(
                key="j", place=PLACE, image=here.image, command=command, environment=ENVIRONMENT, application="shop"
            )

            for refused in (
                here.provider().create(replace(new, key="k", name="shop-prod-v009", application="cart")),
                here.provider().run_job(replace(job, key="k", application="cart")),
            ):
                with pytest.raises(Refused, match="hub"):
                    await refused
            await here.provider().create(new)
            first = await environment(here, restarts=0)
            second = await environment(here, restarts=1)
            done = await ended(here, await here.provider().run_job(job))
            documents = {
                name: [one.body for one in await here.documents(name).list()]
                for name in (
                    f"{kind}{account}.{what}" for account in ("", ".local") for what in ("jobs", "server-groups")
                )
            }

            assert [one["TOKEN"] for one in (first, second)] == [f"Bearer {SECRET}", f"Bearer {RENEWED}"]
            assert first["COLOUR"] == "green"
            said = (tmp_path / done.log).read_text()  # processes have the whole variable masked
            assert said.replace("Bearer ", "") == f"{len(RENEWED) + 7} **** green\n"
            assert b"secret://store?n=hub" in encode(documents)
            for value in (SECRET, RENEWED):
                assert value.encode() not in encode(documents)

    asyncio.run(story())
