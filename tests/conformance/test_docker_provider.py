"""The docker provider: what it does beyond the port's conformance suite, and what it says when the engine can't."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.fakes import certificates
from tests.fakes.cloud_worlds import (
    LEAVE_REPORTS,
    LEFT_REPORTS,
    PLACE,
    DockerWorld,
    docker_world,
    drains_until_it_is_left,
    ended,
    group_with,
    until,
    wanted,
)
from tests.fakes.documents import MemoryStore
from tests.fakes.engines import PYTHON, EngineInTests, files, push
from tests.fakes.web_client import WebClient

from gennaker.access.masking import Masker
from gennaker.access.secrets import ResolvedSecrets
from gennaker.interfaces.clouds import Health, Instance, NewJob, NewServerGroup
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.docker import stopping
from gennaker.plugins.docker.provider import DockerProvider, Parts
from gennaker.settings import DockerSettings
from gennaker.web.gate import live
from gennaker.worker.clock import SystemClock, SystemIds

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.debian, pytest.mark.xdist_group("containers")]


def with_options(new: NewServerGroup, **container: Json) -> NewServerGroup:
    options: JsonObject = {"container": container}
    return replace(new, provider_options=options)


def provider_of(folder: Path, settings: DockerSettings) -> DockerProvider:
    parts = Parts(
        data=folder,
        documents=MemoryStore(),
        registries={},
        secrets=ResolvedSecrets(Masker()),
        clock=SystemClock(),
        ids=SystemIds(),
    )
    return DockerProvider({PLACE.account: settings}, parts)


async def one_up(here: DockerWorld, new: NewServerGroup) -> Instance:
    await here.provider().create(new)
    (one,) = (await group_with(here, (Health.UP,))).instances
    return one


def test_docker_gives_an_instance_what_the_image_the_request_and_the_options_say(
    containers: EngineInTests, tmp_path: Path
) -> None:
    secret = tmp_path / "database.password"
    secret.write_text("hunter2")
    settings = replace(containers.settings, secrets={"database": str(secret)}, mounts=(str(tmp_path),))
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "page").write_text("a page")

    async def story() -> None:
        async with docker_world(tmp_path, replace(containers, settings=settings)) as here:
            new = with_options(
                wanted(here.image, MOOD="good", COLOUR="green"),
                memory="64m",
                cpus=0.5,
                pids=50,
                networks=[containers.network, "metrics"],
                secrets=["database"],
                mounts=[{"source": str(tmp_path / "pages"), "target": "/pages"}],
            )
            here.engine.run("network", "create", "metrics")
            one = await one_up(here, new)
            assert one.address is not None
            client = WebClient(one.address)
            _, body = await client.get("/environment")
            client.close()
            seen = json.loads(body)
            (name,) = here.engine.names(here.folder)
            inside = here.engine.run("exec", name, "/bin/busybox", "cat", "/run/secrets/database", "/pages/page")
            facts = json.loads(here.engine.run("inspect", name))[0]

            given = {key: seen["environment"][key] for key in ("MOOD", "COLOUR", "PORT", "GENNAKER_SERVER_GROUP")}
            assert given == {
                "MOOD": "good",
                "COLOUR": "green",
                "PORT": "8080",
                "GENNAKER_SERVER_GROUP": "shop-prod-v000",
            }
            assert seen["folder"] == "/app"
            assert inside == "hunter2a page"
            assert "hunter2" not in json.dumps(facts)
            (group,) = await here.provider().describe("shop")
            host, shown = facts["HostConfig"], live.server_group(group)
            (instance,) = foreign.mappings(shown.pop("instances"))
            assert (host["Memory"], host["PidsLimit"], host["NanoCpus"]) == (64 * 2**20, 50, 500_000_000)
            assert {*facts["NetworkSettings"]["Networks"]} == {containers.network, "metrics"}
            # In Clouddriver's form, as its clients read it.
            created, launched = shown.pop("createdTime"), instance.pop("launchTime")
            assert isinstance(created, int)
            assert isinstance(launched, int)
            assert launched >= created
            assert shown == {
                "name": "shop-prod-v000",
                "account": "local",
                "region": "local",
                "cluster": "shop-prod",
                "type": "docker",
                "cloudProvider": "docker",
                "moniker": {"app": "shop", "cluster": "shop-prod", "stack": "prod", "detail": None, "sequence": 0},
                "isDisabled": False,
                "disabled": False,
                "zones": ["local"],
                "instanceCounts": {
                    **dict.fromkeys(("down", "starting", "succeeded", "failed", "unknown", "outOfService"), 0),
                    "total": 1,
                    "up": 1,
                },
                "capacity": {"min": 1, "max": 1, "desired": 1},
                "loadBalancers": ["shop-prod"],
                "securityGroups": [],
                "launchConfig": {},
                "labels": {"team": "shop"},
                "tags": {},
                "image": {"reference": here.image, "version": "1.2.3-abc"},
                "buildInfo": {"images": [here.image], "version": "1.2.3-abc"},
                "serverGroupManagers": [],
            }
            assert instance == {
                "id": "shop-prod-v000-0",
                "name": "shop-prod-v000-0",
                "healthState": "Up",
                "health": [
                    {"type": "docker", "healthClass": "platform", "state": "Unknown", "description": ""},
                    {"type": "Probe", "state": "Up", "description": ""},
                ],
                "zone": "local",
                "availabilityZone": "local",
                "address": one.address,
                "restarts": 0,
            }
            await asyncio.to_thread(here.engine.remove_all)
            here.engine.run("network", "rm", "metrics")

    asyncio.run(story())


def test_docker_believes_an_images_own_health_check_that_fails(containers: EngineInTests, tmp_path: Path) -> None:
    check: JsonObject = {"Test": ["CMD", "/bin/sh", "-c", "exit 1"], "Interval": 10**9, "Retries": 1}
    config = {"Cmd": [PYTHON, "-B", "/app/server.py"], "WorkingDir": "/app", "Healthcheck": check}

    async def story() -> None:
        image = await push(containers.files, containers.registry, "checked", config)
        async with docker_world(tmp_path, containers) as here:
            await one_up(here, wanted(image))
            (name,) = here.engine.names(here.folder)
            here.engine.check_health(name)
            (one,) = (await group_with(here, (Health.DOWN,))).instances

            assert "the image's own health check fails" in one.health_reason

    asyncio.run(story())


def test_docker_makes_a_crashed_instance_anew_and_counts(containers: EngineInTests, tmp_path: Path) -> None:
    async def story() -> None:
        async with docker_world(tmp_path, containers) as here:
            one = await one_up(here, wanted(here.image))
            assert one.address is not None
            client = WebClient(one.address)
            with pytest.raises(Exception, match=r"IncompleteRead|ConnectionReset"):
                await client.get("/crash")
            client.close()

            async def look() -> bool | None:
                ((after,),) = [group.instances for group in await here.provider().describe("shop")]
                return True if after.health is Health.UP and after.restarts == 1 else None

            await until(look)

    asyncio.run(story())


def test_docker_lets_a_stopped_instance_finish_its_requests(containers: EngineInTests, tmp_path: Path) -> None:
    async def story() -> None:
        async with docker_world(tmp_path, containers) as here:
            await drains_until_it_is_left(here, await one_up(here, wanted(here.image)))

    asyncio.run(story())


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"command": ["/bin/sh", "-c", "echo no database; exit 7"]}, "no database"),
        ({"command": ["/nothing/here"]}, "command can't be run"),
        ({"networks": ["moon"]}, "There is no such network"),
    ],
    ids=["exits at once", "no such program", "no such network"],
)
def test_docker_calls_what_never_runs_failed_and_says_why(
    containers: EngineInTests, tmp_path: Path, container: JsonObject, said: str
) -> None:
    async def story() -> None:
        async with docker_world(tmp_path, containers) as here:
            await here.provider().create(with_options(wanted(here.image), **container))
            (one,) = (await group_with(here, (Health.FAILED,))).instances

            assert said in one.health_reason, one.health_reason

    asyncio.run(story())


def test_docker_says_that_an_instance_needed_more_memory_than_it_may_have(
    containers: EngineInTests, tmp_path: Path
) -> None:
    async def story() -> None:
        async with docker_world(tmp_path, containers) as here:
            hungry = [PYTHON, "-c", "x = bytearray(200_000_000); print(len(x))"]
            await here.provider().create(with_options(wanted(here.image), memory="24m", command=hungry))

            async def look() -> str | None:
                (group,) = await here.provider().describe("shop")
                said = [one.health_reason for one in group.instances if one.health in (Health.DOWN, Health.FAILED)]
                return next((reason for reason in said if "more memory than its limit" in reason), None)

            assert "its process was ended by SIGKILL" in await until(look)

    asyncio.run(story())


def test_what_the_machine_has_no_memory_for_is_refused_before_anything_is_made(
    containers: EngineInTests, tmp_path: Path
) -> None:
    async def story() -> None:
        async with docker_world(tmp_path, containers) as here:
            more_than_half = int(0.6 * here.engine.memory_bytes())
            await here.provider().create(with_options(wanted(here.image), memory=f"{more_than_half}b"))
            second = with_options(wanted(here.image, "shop-prod-v001"), memory=f"{more_than_half}b")

            with pytest.raises(Refused, match="There is no room for shop-prod-v001"):
                await here.provider().create(second)

            assert [one.name for one in await here.provider().describe("shop")] == ["shop-prod-v000"]
            generous = provider_of(tmp_path / "other", replace(containers.settings, overcommit=True))
            assert (await generous.create(second)).name == "shop-prod-v001"

    asyncio.run(story())


def test_docker_runs_a_job_to_its_end_and_reads_its_reports(containers: EngineInTests, tmp_path: Path) -> None:
    async def story() -> None:
        async with docker_world(tmp_path, containers) as here:
            new = NewJob(
                key="job 2",
                place=PLACE,
                image=here.image,
                command=("/bin/sh", "-c", f"echo $GREETING; {LEAVE_REPORTS}; exit 4"),
                environment={"GREETING": "hello"},
                reports={
                    "junit": "report.xml",
                    "files": "out",
                    "empty": "out/none",
                    "escape": "../bin/busybox",
                    "none": "nothing.xml",
                    "below": "report.xml/nothing",
                },
            )
            job = await ended(here, await here.provider().run_job(new))

            assert (job.state, job.exit_status, job.reports) == (Health.FAILED, 4, LEFT_REPORTS)
            assert "exited with status 4" in job.reason
            assert "escape (../bin/busybox) lies outside" in job.reason
            assert "empty (out/none) has no files" in job.reason
            assert "none (nothing.xml) was not written" in job.reason
            assert "below (report.xml/nothing) was not written" in job.reason
            assert (tmp_path / job.log).read_text() == "hello\n"

    asyncio.run(story())


def test_docker_gives_a_job_what_its_options_say(containers: EngineInTests, tmp_path: Path) -> None:
    """With the machine's network it reaches what listens on the machine's loopback, as load balancers may."""
    secret = tmp_path / "database.password"
    secret.write_text("hunter2")
    settings = replace(containers.settings, secrets={"database": str(secret)}, host_network=True)
    script = (
        "import os, socket; host, port = os.environ['REGISTRY'].split(':'); s = socket.socket();"
        "s.connect((host, int(port))); s.sendall(b'GET /v2/ HTTP/1.0\\r\\n\\r\\n');"
        "print(s.recv(100).split()[0].decode(), open('/run/secrets/database').read(), os.getuid())"
    )

    async def story() -> None:
        async with docker_world(tmp_path, replace(containers, settings=settings)) as here:
            container: JsonObject = {
                "networks": ["host"],
                "secrets": ["database"],
                "memory": "64m",
                "user": "1000",
                "readOnly": True,
            }
            new = NewJob(
                key="job 4",
                place=PLACE,
                image=here.image,
                command=(PYTHON, "-c", script),
                environment={"REGISTRY": containers.registry},
                provider_options={"container": container},
            )
            job = await ended(here, await here.provider().run_job(new))
            (name,) = here.engine.names(here.folder, "--all")
            facts = json.loads(here.engine.run("inspect", name))[0]

            assert (job.state, (tmp_path / job.log).read_text()) == (Health.SUCCEEDED, "HTTP/1.1 hunter2 1000\n")
            assert (facts["HostConfig"]["NetworkMode"], facts["HostConfig"]["Memory"]) == ("host", 64 * 2**20)

    asyncio.run(story())


def test_docker_stops_a_job_at_its_time_limit(containers: EngineInTests, tmp_path: Path) -> None:
    async def story() -> None:
        async with docker_world(tmp_path, containers) as here:
            script = "import signal, os; signal.signal(15, lambda *_: os._exit(0)); signal.pause()"
            new = NewJob(
                key="job 3",
                place=PLACE,
                image=here.image,
                command=(PYTHON, "-c", script),
                timeout=timedelta(seconds=0.3),
            )
            job = await ended(here, await here.provider().run_job(new))

            assert (job.state, job.reason) == (Health.FAILED, "The container was stopped at its time limit.")

    asyncio.run(story())


def test_all_containers_of_an_installation_can_be_stopped_without_its_server(
    containers: EngineInTests, tmp_path: Path
) -> None:
    async def story() -> tuple[int, int]:
        async with docker_world(tmp_path, containers) as here:
            await one_up(here, wanted(here.image))
            accounts = {PLACE.account: containers.settings}
            of_others = await stopping.stop_all(accounts, tmp_path / "other")
            return of_others, await stopping.stop_all(accounts, tmp_path, drain_seconds=2)

    assert asyncio.run(story()) == (0, 1)


def test_an_image_whose_content_is_not_what_its_digest_says_is_refused(
    containers: EngineInTests, tmp_path: Path
) -> None:
    """The engine itself finds out while it pulls: nothing is started."""

    async def story() -> str:
        root = await asyncio.to_thread(files, tmp_path / "image")
        image = await push(root, containers.registry, "tampered", {"Cmd": [PYTHON]})
        kept = [one for one in (containers.registry_files / "images").rglob("*") if one.is_file()]
        largest = max(kept, key=lambda file: file.stat().st_mtime_ns if file.stat().st_size > 2**20 else 0)
        content = bytearray(largest.read_bytes())
        content[len(content) // 2] ^= 1
        largest.chmod(0o600)
        largest.write_bytes(content)
        with pytest.raises(Refused) as refused:
            await provider_of(tmp_path, containers.settings).create(wanted(image))
        return str(refused.value)

    assert "something else than the digest says" in asyncio.run(story())


@asynccontextmanager
async def behind_tls(engine: EngineInTests, certificate: str) -> AsyncIterator[DockerSettings]:
    """The engine at a TCP port that lets in who shows the certificate; Podman's own service speaks no TLS."""
    asked = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate)
    asked.load_cert_chain(certificate)
    asked.verify_mode = ssl.CERT_REQUIRED

    async def passed_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while part := await source.read(65_536):
                target.write(part)
                await target.drain()
        target.close()

    async def let_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_engine, to_engine = await asyncio.open_unix_connection(engine.settings.address.removeprefix("unix://"))
        await asyncio.gather(passed_on(reader, to_engine), passed_on(from_engine, writer))

    async with await asyncio.start_server(let_in, "127.0.0.1", 0, ssl=asked) as door:
        port = door.sockets[0].getsockname()[1]
        yield replace(engine.settings, address=f"tcp://127.0.0.1:{port}", ca_file=certificate)


def test_an_engine_behind_tls_is_used_with_the_account_s_certificate_and_by_nobody_else(
    containers: EngineInTests, tmp_path: Path
) -> None:
    own = certificates.make(tmp_path / "own.pem", "127.0.0.1")
    other = certificates.make(tmp_path / "other.pem", "127.0.0.1")

    async def refusal(settings: DockerSettings) -> str:
        with pytest.raises(Refused) as refused:
            await provider_of(tmp_path, settings).create(wanted(containers.image))
        return str(refused.value)

    async def story() -> None:
        async with behind_tls(containers, own) as settings:
            shown = replace(settings, client_certificate_file=own)
            async with docker_world(tmp_path, replace(containers, settings=shown)) as here:
                await one_up(here, wanted(here.image))
            for unwanted in (settings, replace(settings, client_certificate_file=other)):
                assert "mend client-certificate-file" in await refusal(unwanted)
            assert "verify failed" in await refusal(replace(shown, ca_file=other))
            assert "Look at ca-file" in await refusal(replace(shown, client_certificate_file="/nothing.pem"))

    asyncio.run(story())


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"secrets": ["other"]}, "has no secret 'other'"),
        ({"mounts": [{"source": "/etc", "target": "/x"}]}, "/etc may not be mounted (allowed: none)"),
        ({"mounts": [{"source": "/srv/../etc", "target": "/x"}]}, "may not be mounted"),
        ({"memory": "lots"}, "no amount of memory"),
        ({"colour": "red"}, "`colour`"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(tmp_path: Path, container: JsonObject, said: str) -> None:
    settings = DockerSettings(address=f"unix://{tmp_path / 'none'}")

    with pytest.raises(Refused) as refused:
        asyncio.run(provider_of(tmp_path, settings).create(with_options(wanted("x@sha256:0"), **container)))

    assert said in str(refused.value)


def test_an_engine_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    dead.touch()
    said = {}
    for name, address in (
        ("no socket", f"unix://{tmp_path / 'none.sock'}"),
        ("dead", f"unix://{dead}"),
        ("tcp", "tcp://127.0.0.1:9"),
    ):
        with pytest.raises(Refused) as refused:
            asyncio.run(provider_of(tmp_path, DockerSettings(address=address)).create(wanted("x@sha256:0")))
        said[name] = refused.value.problems[0].code

    assert said == {"no socket": "docker.no_socket", "dead": "docker.not_running", "tcp": "docker.unreachable"}
