"""HTTP checks: what is asked, what counts as right, what is kept."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from msgspec.structs import replace
from tests import waiting
from tests.fakes.rollouts import NEW, FakePlace, deploy
from tests.harness import problem_of

from gennaker.interfaces.evidence import EvidenceItem
from gennaker.model.codec import Json, JsonObject
from gennaker.model.statuses import Status
from gennaker.settings import Settings


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]  # set by the fixture
        status = 200 if self.path != "/broken" else 500
        self.send_response(status)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Silent."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.asked = []  # type: ignore[attr-defined]  # for the tests
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    waiting.joined(thread)
    server.server_close()


def check(**keys: Json) -> JsonObject:
    own: JsonObject = {"refId": "2", "requisiteStageRefIds": ["1"], "type": "httpCheck", "name": "Smoke", **keys}
    return own


def at(server: ThreadingHTTPServer) -> str:
    return f"127.0.0.1:{server.server_address[1]}"


def serving_at(server: ThreadingHTTPServer) -> FakePlace:
    """A deployed shop whose instances and load balancer are all this server."""
    place = FakePlace().deployed()
    place.balancers["shop-prod"].address = at(server)
    group = place.cloud.groups["shop-prod-v000"]
    instances = tuple(replace(one, address=at(server)) for one in group.instances)
    place.cloud.groups["shop-prod-v000"] = replace(group, instances=instances)
    return place


def kept(place: FakePlace, execution_id: str) -> list[EvidenceItem]:
    async def look() -> list[EvidenceItem]:
        return list(await place.harness.evidence.list(execution_id))

    return place.harness.time.run(look())


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_load_balancer_s_address_is_asked_and_the_report_kept(server: ThreadingHTTPServer, scheme: str) -> None:
    place = serving_at(server)
    stage = check(address=f"{scheme}{at(server)}", paths=["/healthz", "/"], expectedBody="hell")

    execution = place.harness.run({"application": "shop", "stages": [{**stage, "requisiteStageRefIds": []}]})

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert sorted(server.asked) == ["/", "/healthz"]  # type: ignore[attr-defined]  # set by the fixture
    [item] = kept(place, execution.head.id)
    assert (item.kind, item.summary) == ("http", {"tests": 2, "passed": 2, "failed": 0, "attempts": 1})


def test_all_instances_of_a_server_group_are_asked(server: ThreadingHTTPServer) -> None:
    place = serving_at(server)
    stage = check(serverGroupName="shop-prod-v000", account="local", region="local", cloudProvider="fake", path="/x")

    execution = place.harness.run({"application": "shop", "stages": [{**stage, "requisiteStageRefIds": []}]})

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert server.asked == ["/x", "/x"]  # type: ignore[attr-defined]  # set by the fixture


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"path": "/broken"}, "answered 500 instead of 200: hello"),
        ({"path": "/", "expectedBody": "goodbye"}, "answered without 'goodbye'"),
        ({"path": "/", "expectedStatus": [201, 204]}, "instead of 201 or 204"),
    ],
)
def test_what_is_not_as_expected_is_said_after_all_attempts(
    server: ThreadingHTTPServer, keys: dict[str, Json], said: str
) -> None:
    place = serving_at(server)
    stage = check(address=at(server), attempts=3, **keys)

    execution = place.harness.run({"application": "shop", "stages": [{**stage, "requisiteStageRefIds": []}]})

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)
    assert len(server.asked) == 3  # type: ignore[attr-defined]  # set by the fixture
    assert [item.summary["failed"] for item in kept(place, execution.head.id)] == [1]


def test_an_address_inside_that_is_nobody_s_is_refused_unless_allowed(server: ThreadingHTTPServer) -> None:
    stage = {**check(url=f"http://{at(server)}/", attempts=1), "requisiteStageRefIds": []}
    place = FakePlace()

    refused = place.harness.run({"application": "shop", "stages": [stage]})
    place.harness.settings = Settings(webhook_hosts=(at(server),))
    allowed = place.harness.run({"application": "shop", "stages": [stage]})

    assert "webhook-hosts" in problem_of(refused)
    assert allowed.head.status is Status.SUCCEEDED


def test_without_an_address_it_is_the_one_that_was_deployed_to(server: ThreadingHTTPServer) -> None:
    place = serving_at(server)

    execution = place.harness.run(deploy(NEW, strategy="redblack", stages=(check(path="/"),)))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert server.asked == ["/"]  # type: ignore[attr-defined]  # set by the fixture
