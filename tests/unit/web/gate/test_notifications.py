"""Gate's notifications of an application: kept in Front50's form, and sent by all its pipelines."""

import pytest
from tests.fakes.visiting import visit
from tests.fakes.website import Website

from gennaker.model.codec import Json, JsonObject

PATH = "/notifications/application/Shop"
TEAM: JsonObject = {"type": "email", "address": "team", "when": ["pipeline.failed"], "level": "application"}


def test_they_are_kept_and_sent_by_pipelines() -> None:
    async def work(site: Website) -> None:
        assert (await site.get(PATH, token=None)).json == {}
        saved = await site.post(PATH, {"application": "Shop", "email": [TEAM]}, token=None)
        assert (saved.status, saved.json["email"]) == (200, [TEAM])
        assert (await site.get(PATH.lower(), token=None)).json == {"application": "shop", "email": [TEAM]}

        stages: list[Json] = [{"type": "wait", "refId": "1", "waitTime": 600}]
        answer = await site.post("/pipelines/start", {"application": "shop", "name": "p", "stages": stages})
        found = (await site.get(answer.json["ref"])).json
        assert found["notifications"] == [TEAM]

        assert (await site.call("DELETE", PATH, token=None)).status == 200
        assert (await site.get(PATH, token=None)).json == {}

    visit(work)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": TEAM}, "/email"),
        ({"email": ["a@x.org"]}, "/email/0"),
        ({"slack": [{"address": "x"}]}, "/slack/0/type"),
    ],
)
def test_what_nobody_could_send_is_named(body: JsonObject, pointer: str) -> None:
    async def work(site: Website) -> None:
        answer = await site.post(PATH, body, token=None)
        assert answer.status == 400
        assert answer.json["problems"][0]["pointer"] == pointer

    visit(work)
