"""What administrators do to executions."""

import asyncio
from typing import Any

import pytest
from tests import make
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.plugins.flow import plugin as flow

WAITS: dict[str, Any] = {
    "application": "shop",
    "name": "p",
    "stages": [make.stage_json("w", type="wait", waitTime=600)],
}


@pytest.mark.parametrize("path", ["/admin/executions/forceCancel", "/admin/forceCancelExecution"])
def test_a_forced_cancellation_ends_an_execution(path: str) -> None:
    async def work(site: Website) -> None:
        ref: str = (await site.call("POST", "/orchestrate", token=None, json=WAITS)).json["ref"]
        execution_id = ref.rpartition("/")[2]
        await asyncio.sleep(5)

        query = f"executionId={execution_id}&executionType=PIPELINE&canceledBy=ada"
        answer = await site.call("PUT", f"{path}?{query}", token=None)
        await asyncio.sleep(5)

        assert answer.status == 200
        ended = (await site.call("GET", ref, token=None)).json
        assert (ended["status"], ended["cancellationReason"]) == ("CANCELED", "Forced by an administrator for ada.")
        unknown = await site.call("PUT", f"{path}?executionId=x", token=None)
        assert unknown.status == 404

    visit(work, harness=Harness(flow.plugin))
