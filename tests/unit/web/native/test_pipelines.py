"""Saving in the native API: everything that is wrong is said at once."""

from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.plugins.flow import plugin as flow


def test_an_empty_canary_config_is_told_all_that_it_lacks() -> None:
    async def work(site: Website) -> None:
        answer = await site.call("POST", "/api/v1/canary-configs", json={})

        assert answer.status == 422
        assert [one["pointer"] for one in answer.json["problems"]] == ["/name", "/metrics", "/classifier"]

    visit(work, harness=Harness(flow.plugin))
