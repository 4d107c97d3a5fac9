"""The native API's OpenAPI document: the committed one is what the routes and their types say."""

import json
from pathlib import Path

from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.web import application

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "api" / "openapi.json"


def test_the_committed_document_is_that_of_the_routes() -> None:
    assert COMMITTED.read_text() == application.document(), (
        "the API has changed: `make openapi`, and read the difference"
    )


def test_a_server_gives_the_committed_document_and_answers_as_it_says() -> None:
    harness = Harness()

    async def main() -> None:
        async with harness.process() as core:
            site = Website(harness, core)
            given = (await site.get("/api/v1/schema/openapi.json")).json
            assert given == json.loads(COMMITTED.read_text())
            assert all(path.startswith("/api/v1/") for path in given["paths"])
            live = [path for path, item in given["paths"].items() if "text/event-stream" in json.dumps(item)]
            assert live == ["/api/v1/events", "/api/v1/executions/{execution_id}/log"]
            refused = await site.get("/api/v1/executions/unknown")
            schema = given["components"]["schemas"]["ProblemDocument"]
            assert refused.headers["content-type"].startswith("application/problem+json")
            assert set(schema["required"]) == refused.json.keys()
            says = given["paths"]["/api/v1/executions/{execution_id}"]["get"]["responses"]["default"]["content"]
            assert says.keys() == {"application/problem+json"}

    harness.time.run(main())
