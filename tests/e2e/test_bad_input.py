"""Bad input on the real server: a sentence that says what to do, an exit status that isn't 0, and nothing lost."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests import waiting
from tests.e2e import attacked

from gennaker.demo.server import DemoServer
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Refused
from gennaker.transport import tls
from gennaker.transport.client import Client
from gennaker.transport.client import server as announced

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("bad-input")]

_FREE = ("server.port=0", "registry.port=0")
_TIMEOUT_SECONDS = 600.0
_KEPT: JsonObject = {
    "application": "kept",
    "name": "kept",
    "stages": [{"refId": "1", "type": "wait", "name": "Wait", "waitTime": 0}],
}


def gennaker(*words: str, data: Path, before: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    """A command to its end; `before` it stands what starts it."""
    return subprocess.run(
        [*before, sys.executable, "-m", "gennaker.cli.main", *words, "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_SECONDS,
        env={**os.environ, "COLUMNS": "500"},
    )


def serve(data: Path, *settings: str, before: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    """A server that is expected to refuse to start."""
    flags = [word for setting in (*_FREE, *settings) for word in ("--set", setting)]
    return gennaker("serve", *flags, data=data, before=before)


def records(data: Path) -> int:
    """How many audit records a data folder holds, if their chain is intact."""
    done = gennaker("audit", "verify", data=data)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"\d+", done.stdout)
    assert found is not None, done.stdout
    return int(found[0])


def is_a_sentence_only(text: str) -> bool:
    """Something is said, and no trace of the program is."""
    return bool(text.strip()) and "Traceback" not in text


@contextlib.contextmanager
def running(data: Path, *settings: str) -> Iterator[Client]:
    """A server that runs; nothing is left of it."""
    server = DemoServer(data, (*_FREE, *settings))
    try:
        with contextlib.closing(server.start()) as client:
            yield client
    finally:
        server.stop_everything()


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which a pipeline was saved and run."""
    data = tmp_path_factory.mktemp("used") / "data"
    with running(data) as client:
        answer = client.post("/api/v1/run", _KEPT)
        assert isinstance(answer, dict)
        end_of(client, str(answer["executionId"]))
    return data


@pytest.fixture
def data(used: Path, tmp_path: Path) -> Path:
    """A copy of its own."""
    return Path(shutil.copytree(used, tmp_path / "data"))


def end_of(client: Client, execution_id: str) -> str:
    """The status with which an execution has ended."""
    until = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < until:
        execution = client.get(f"/api/v1/executions/{execution_id}")
        assert isinstance(execution, dict)
        if execution["status"] not in ("NOT_STARTED", "RUNNING"):
            return str(execution["status"])
        time.sleep(0.05)
    raise AssertionError(f"{execution_id} does not end")


# ------------------------------------------------------------------------------------------------ starting the server


@pytest.mark.parametrize("setting", ["server.port", "registry.port"])
def test_a_port_in_use_is_named_with_its_setting(data: Path, setting: str) -> None:
    before = records(data)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        done = serve(data, f"{setting}={port}")

    assert done.returncode == 1
    assert is_a_sentence_only(done.stderr)
    assert f"127.0.0.1:{port}" in done.stderr
    assert setting in done.stderr
    assert records(data) == before


def test_an_address_that_others_can_reach_is_refused(data: Path) -> None:
    done = serve(data, "server.host=0.0.0.0")

    assert done.returncode == 1
    assert is_a_sentence_only(done.stderr)
    assert "127.0.0.1" in done.stderr


def test_a_second_server_says_that_one_is_running_already(tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    with running(tmp_path / "data", f"audit.file={heads}") as client:
        pid = announced(tmp_path / "data").pid

        done = serve(tmp_path / "data")

        assert done.returncode == 1
        assert f"already running (pid {pid})" in done.stderr
        assert client.get("/health/ready") == {"status": "UP"}, "the first one is not disturbed"
        said = attacked.by_a_chain_cut_off(client, tmp_path / "data", heads)
        done = gennaker("audit", "verify", "--set", f"audit.file={heads}", data=tmp_path / "data")
        assert (done.returncode, done.stdout.strip()) == (1, said), "it holds the chain against the same heads"


def test_each_line_of_the_log_is_structured_whoever_writes_it(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = (f"caddy.admin-port={port}", "load-balancers.shop.provider=caddy")
        with running(data, *settings):
            api = httpx2.URL(announced(data).api)
            with socket.create_connection((api.host, api.port or 0), timeout=_TIMEOUT_SECONDS) as connection:
                connection.sendall(b"no HTTP at all\r\n\r\n")
                assert connection.recv(1000).startswith(b"HTTP/1.1 400")
            attacked.by_two_lengths(api)
            lines = log_until(data, "uvicorn.error", "caddy.not_kept")

    said = {str(line["event"]): line for line in lines}
    assert said["uvicorn.error"]["message"] == "Invalid HTTP request received."
    assert said["caddy.not_kept"]["why"] == (
        f"Caddy's admin API can't listen on 127.0.0.1:{port}: something else does. "
        f"Stop what uses port {port}, or set caddy.admin-port to another port (0: a free one)."
    )
    assert "exception" not in said["caddy.not_kept"]
    assert all({"level", "timestamp"} <= line.keys() for line in lines)


def log_until(data: Path, *events: str) -> list[JsonObject]:
    """The lines of a server's log, as soon as all these events are among them."""
    until = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < until:
        lines: list[JsonObject] = [
            json.loads(line) for line in (data / "server.log").read_text().rpartition("\n")[0].splitlines()
        ]
        if set(events) <= {line["event"] for line in lines}:
            return lines
        time.sleep(0.05)
    raise AssertionError(f"{events} are not in the log")


@pytest.mark.parametrize("damage", ["no database at all", "its first page", "a page inside"])
def test_a_corrupt_database_is_left_as_it_is(data: Path, damage: str) -> None:
    file = data / "gennaker.db"
    content = bytearray(file.read_bytes())
    match damage:
        case "no database at all":
            content = bytearray(b"This was never a database.\n" * 400)
        case "its first page":
            content[16:100] = bytes(range(100, 184))
        case _:
            for page in range(4096, len(content), 4096):
                content[page : page + 64] = b"\xff" * 64
    file.write_bytes(content)

    done = serve(data)

    assert done.returncode == 1
    assert is_a_sentence_only(done.stderr)
    assert str(file) in done.stderr
    assert "Nothing was changed" in done.stderr
    assert file.read_bytes() == bytes(content)


def test_without_permission_the_folder_is_named(data: Path) -> None:
    before = records(data)
    data.chmod(0o500)
    # Root may write everywhere, unless it gives that up.
    humbly = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()

    done = serve(data, before=humbly)

    data.chmod(0o700)
    assert done.returncode == 1
    assert is_a_sentence_only(done.stderr)
    assert str(data) in done.stderr
    assert "permission" in done.stderr.lower()
    assert records(data) == before


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small one, which can be filled."""
    disk = tmp_path / "small"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "gennaker-test", str(disk)]
    subprocess.run(mount, check=True, timeout=_TIMEOUT_SECONDS)
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True, timeout=_TIMEOUT_SECONDS)


@pytest.mark.root
def test_a_full_disk_is_said_and_takes_nothing_that_was_answered(disk: Path, tmp_path: Path) -> None:
    data = disk / "data"
    with _serving(data, log=tmp_path / "log") as server:
        with contextlib.closing(Client(data)) as client:
            _fill(disk)
            answered = _submitted_until_refused(client)
        said = run_file(data, tmp_path, {**_KEPT, "name": "one-more", "description": "x" * 50_000})
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(5)
    log = (tmp_path / "log").read_text()
    assert said.returncode == 1
    assert is_a_sentence_only(said.stderr)
    assert server.returncode in (0, 1), "it went on until it was told to stop, or ended with a sentence"
    assert "There is no space left" in (log if server.returncode else said.stderr)
    assert "Traceback" not in log
    (disk / "filler").unlink()
    with _serving(data, log=tmp_path / "log"), contextlib.closing(Client(data)) as again:
        ended = {execution: end_of(again, execution) for execution in answered}
    assert set(ended.values()) <= {"SUCCEEDED"}, "what was answered is there, and goes on"


@pytest.mark.root
def test_a_server_is_not_ready_while_its_disk_is_full(disk: Path, tmp_path: Path) -> None:
    with _serving(disk / "data", log=tmp_path / "log"), contextlib.closing(Client(disk / "data")) as client:
        ready = f"{announced(disk / 'data').api}/health/ready"
        assert httpx2.get(ready, timeout=_TIMEOUT_SECONDS).json() == {"status": "UP"}
        _fill(disk)
        with pytest.raises(Refused, match="There is no space left"):
            client.post("/api/v1/pipelines", {**_KEPT, "description": "x" * 200_000})

        told = _answer_of(ready, 503)

        assert (told["status"], told["code"]) == ("DOWN", "store.full")
        assert "Free some space" in str(told["reason"])
        (disk / "filler").unlink()
        assert _answer_of(ready, 200) == {"status": "UP"}
        assert client.post("/api/v1/pipelines", {**_KEPT, "description": "x" * 200_000})


def _answer_of(url: str, status: int) -> JsonObject:
    """What it answers as soon as it has this status."""
    until = time.monotonic() + _TIMEOUT_SECONDS
    while (answer := httpx2.get(url, timeout=_TIMEOUT_SECONDS)).status_code != status:
        assert time.monotonic() < until, answer.text
        time.sleep(0.1)
    return dict(answer.json())


@contextlib.contextmanager
def _serving(data: Path, *, log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """A server whose log is on another disk than its data."""
    flags = [word for setting in _FREE for word in ("--set", setting)]
    command = [sys.executable, "-m", "gennaker.cli.main", "serve", "--data", str(data), *flags]
    with log.open("wb") as opened, subprocess.Popen(command, stderr=opened, start_new_session=True) as server:
        try:
            announcement = data / "server.json"
            waiting.until_seen(lambda: announcement.exists() or server.poll() is not None, "the server to start")
            assert server.poll() is None, log.read_text()
            yield server
        finally:
            server.terminate()
            server.wait(_TIMEOUT_SECONDS)
            gennaker("stop", "--all", data=data)


def _fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as opened:
        while True:
            opened.write(b"0" * 4096)


def _submitted_until_refused(client: Client) -> list[str]:
    """Ids of executions whose submission was answered before the disk was full."""
    answered: list[str] = []
    for number in range(500):
        try:
            answer = client.post("/api/v1/run", {**_KEPT, "name": f"pipeline-{number}", "description": "x" * 20_000})
        except Refused as refused:
            if refused.problems[0].code not in ("store.full", "server.unreachable"):
                raise
            return answered
        assert isinstance(answer, dict)
        answered.append(str(answer["executionId"]))
    raise AssertionError("the disk never became full")


# -------------------------------------------------------------------------------------------- what a running server is given


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a running server."""
    data = tmp_path_factory.mktemp("running") / "data"
    with running(data):
        yield data


def run_file(place: Path, tmp_path: Path, pipeline: JsonObject) -> "subprocess.CompletedProcess[str]":
    """`gennaker run FILE`."""
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps(pipeline))
    return gennaker("run", str(file), data=place)


def pipelines_of(place: Path, application: str) -> Json:
    with contextlib.closing(Client(place)) as client:
        found = client.get("/api/v1/pipelines", application=application)
    assert isinstance(found, dict)
    return found["pipelines"]


def test_a_pipeline_is_refused_with_all_that_is_wrong_at_once(place: Path, tmp_path: Path) -> None:
    stages: list[Json] = [
        {"refId": "1", "type": "wait", "name": "One", "requisiteStageRefIds": ["2"]},
        {"refId": "2", "type": "wait", "name": "Two", "requisiteStageRefIds": ["1"]},
        {"refId": "3", "type": "wait", "name": "Three", "requisiteStageRefIds": ["9"]},
        {"refId": "4", "type": "wait", "name": "Four", "waitTime": ["long"]},
    ]

    done = run_file(place, tmp_path, {"application": "wrong", "name": "wrong", "stages": stages})

    assert done.returncode == 1
    assert is_a_sentence_only(done.stderr)
    assert "/stages/2/requisiteStageRefIds" in done.stderr
    assert "/stages/3/waitTime" in done.stderr
    assert "Stages require each other in a circle: 1 → 2 → 1" in done.stderr
    assert pipelines_of(place, "wrong") == []


def test_a_file_that_is_no_json_is_named(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "pipeline.json"
    file.write_text("{")

    done = gennaker("run", str(file), data=place)

    assert done.returncode == 1
    assert f"{file} is not JSON" in done.stderr


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("Dockerfile", "FROM scratch\nCOPPY app /app\n", "COPPY"),
        ("Dockerfile", "FROM scratch\nCOPY nowhere /app\n", "nowhere"),
        ("build.yaml", "service: thing\nsteps: 7\n", "steps"),
        ("build.yaml", "service: [\n", "build.yaml"),
        ("build.yaml", "service: thing\nimage: {name: thing, tag: latest, speed: 9}\n", "speed"),
    ],
)
def test_a_broken_source_fails_its_build_with_a_sentence(
    place: Path, tmp_path: Path, file: str, content: str, sentence: str
) -> None:
    commit = _repository(tmp_path / "repository", {file: content})
    stage: JsonObject = {
        "refId": "1",
        "type": "build",
        "name": "Build",
        "repository": str(tmp_path / "repository"),
        "commit": commit,
        "branch": "main",
        "service": "services/thing",
        "registryAccount": "local-registry",
    }

    done = run_file(place, tmp_path, {"application": "thing", "name": "build-thing", "stages": [stage]})

    assert done.returncode == 1
    assert is_a_sentence_only(done.stdout)
    assert sentence in done.stdout
    assert tags(place, "thing") == [], "nothing was pushed"


def _repository(folder: Path, changes: dict[str, str]) -> str:
    service = folder / "services" / "thing"
    service.mkdir(parents=True)
    files = {
        "VERSION": "1.0.0\n",
        "app": "an app\n",
        "Dockerfile": "FROM scratch\nCOPY app /app\n",
        "build.yaml": 'service: thing\nimage: {name: thing, dockerfile: Dockerfile, tag: "{version}-{short_sha}"}\n',
    }
    for name, content in {**files, **changes}.items():
        (service / name).write_text(content)
    who = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], [*who, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, timeout=_TIMEOUT_SECONDS)
    asked = ["git", "rev-parse", "HEAD"]
    said = subprocess.run(asked, cwd=folder, check=True, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
    return said.stdout.strip()


def _registry_of(place: Path) -> httpx2.Client:
    base_url = f"http://{announced(place).registry}/v2"
    return httpx2.Client(base_url=base_url, trust_env=False, verify=tls.trusted(), timeout=_TIMEOUT_SECONDS)


def tags(place: Path, repository: str) -> list[str]:
    with _registry_of(place) as http:
        answer = http.get(f"/{repository}/tags/list")
    return list(answer.json()["tags"]) if answer.is_success else []


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"metrics": "many"}, "metrics"),
        (
            {"metrics": [{"name": "errors", "query": {"type": "embedded", "metric": "x"}, "scopeName": "other"}]},
            "other",
        ),
        ({"metrics": [], "judge": {"name": "nobody-v1", "judgeConfigurations": {}}}, "nobody-v1"),
    ],
)
def test_a_broken_canary_config_fails_its_stage_with_a_sentence(
    place: Path, tmp_path: Path, config: JsonObject, sentence: str
) -> None:
    whole: JsonObject = {"id": "broken", "name": "broken", "configVersion": "1.0", "applications": ["thing"], **config}
    stage: JsonObject = {
        "refId": "1",
        "type": "kayentaCanary",
        "name": "Canary",
        "canaryConfig": {
            "canaryConfig": whole,
            "lifetimeDuration": "PT2S",
            "scopes": [{"scopeName": "default", "controlScope": "a", "experimentScope": "b", "step": 1}],
        },
    }

    done = run_file(place, tmp_path, {"application": "thing", "name": "judge-thing", "stages": [stage]})

    assert done.returncode == 1
    assert is_a_sentence_only(done.stdout + done.stderr)
    assert sentence in done.stdout + done.stderr


def test_judging_a_broken_case_prints_its_problem(tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"config": {"metrics": 3}, "metricSetPairs": [], "thresholds": {}}))

    command = [sys.executable, "-m", "gennaker.cli.main", "canary", "judge", str(file)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT_SECONDS)

    assert json.loads(done.stdout).keys() == {"problem"}


@pytest.mark.parametrize(
    "manifest",
    [b"{", b"[]", b'{"schemaVersion": 2}', b'{"schemaVersion": 2, "config": {"digest": "sha256:1"}, "layers": 3}'],
)
def test_a_broken_image_manifest_is_refused_and_not_kept(place: Path, manifest: bytes) -> None:
    with _registry_of(place) as http:
        answer = http.put(
            "/broken/manifests/1.0.0",
            content=manifest,
            headers={"Content-Type": "application/vnd.oci.image.manifest.v1+json"},
        )

        assert answer.status_code == httpx2.codes.BAD_REQUEST
        error = answer.json()["errors"][0]
        assert error["code"] == "MANIFEST_INVALID"
        assert error["message"]
        assert http.get("/broken/manifests/1.0.0").status_code == httpx2.codes.NOT_FOUND
    assert tags(place, "broken") == []
