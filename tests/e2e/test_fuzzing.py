"""Made-up requests to the real server: a few of each operation here, many by `make fuzz-api`."""

from pathlib import Path

import httpx2
import pytest
from tests import fuzzing

from gennaker.demo.server import DemoServer

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("bad-input")]

SEED, EXAMPLES = 20, 2
PROBLEM = {"type": "x", "title": "x", "status": 400, "detail": "x", "code": "x", "problems": [{"message": "x"}]}


def test_made_up_requests_get_answers(tmp_path: Path) -> None:
    server = DemoServer(tmp_path / "data", ("server.port=0", "registry.port=0"))
    try:
        server.start().close()
        fuzz = fuzzing.Fuzz(server.data)

        found = list(fuzz.findings(examples=EXAMPLES, of=SEED))
        assert found == [], f"make fuzz-api ARGS='--seed {SEED} --examples {EXAMPLES}' says it again"

        assert fuzz.is_well()
        assert {200, 400, 404} < set(fuzz.statuses)
        fuzz.close()
    finally:
        server.stop_everything()


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (httpx2.Response(500, json={}), "a fault of the server's"),
        (httpx2.Response(404, json={}), "no problem document"),
        (httpx2.Response(400, json=PROBLEM, headers={"content-type": "application/problem+json"}), ""),
        (httpx2.Response(200, json={"people": [0] * 1_001}), "1001 items in people"),
        (httpx2.Response(200, json={"people": [0] * 1_000, "stages": [0] * 1_001}), ""),
        (httpx2.Response(200, content=b"x" * 5_000_001), "5000001 bytes"),
    ],
)
def test_what_is_no_answer_is_found(answer: httpx2.Response, wrong: str) -> None:
    assert fuzzing.wrong_with(answer) == wrong
