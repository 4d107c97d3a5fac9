"""Trying expressions at an execution, as Gate's clients do it."""

import asyncio
from typing import Any
from urllib.parse import quote

from tests import make
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.plugins.flow import plugin as flow

PIPELINE: dict[str, Any] = {
    "application": "shop",
    "name": "p",
    "spelEvaluator": "v4",
    "stages": [
        make.stage_json("v", type="evaluateVariables", variables=[{"key": "colour", "value": "red"}]),
        make.stage_json("w", "v", type="wait", waitTime=1, size=3, broken="${nothing.here}"),
    ],
}


async def call(site: Website, method: str, path: str, json: Any = None, *, status: int = 200) -> Any:
    answer = await site.call(method, path, token=None, json=json)
    assert answer.status == status, (method, path, answer.status, answer.body)
    return answer.json


async def ran(site: Website) -> str:
    trigger = {"parameters": {"size": "3"}}
    ref: str = (await call(site, "POST", "/orchestrate", {**PIPELINE, "trigger": trigger}))["ref"]
    await asyncio.sleep(5)
    return ref


def visited(work: Any) -> None:
    visit(work, harness=Harness(flow.plugin))


def test_an_execution_and_its_trigger_are_seen() -> None:
    async def work(site: Website) -> None:
        ref = await ran(site)
        text = "${trigger.parameters.size + execution.name}"

        assert await call(site, "GET", f"{ref}/evaluateExpression?expression={quote(text)}") == {
            "result": "3p",
            "detail": None,
        }
        assert (await call(site, "POST", f"{ref}/evaluateExpression", {"expression": text}))["result"] == "3p"
        plain = await site.call("POST", f"{ref}/evaluateExpression", token=None, raw=b"${1 + 1}")
        assert plain.json["result"] == 2

    visited(work)


def test_a_stage_s_context_and_what_is_before_it_are_seen_there_only() -> None:
    async def work(site: Website) -> None:
        ref = await ran(site)
        text = quote("${colour + size}")
        stages = (await call(site, "GET", ref))["stages"]

        at_stage = await call(site, "GET", f"{ref}/{stages[1]['id']}/evaluateExpression?expression={text}")
        elsewhere = await call(site, "GET", f"{ref}/evaluateExpression?expression={quote('${colour.length()}')}")

        assert at_stage == {"result": "red3", "detail": None}
        assert elsewhere["result"] == "${colour.length()}"
        assert list(elsewhere["detail"]) == ["colour.length()"]
        await call(site, "GET", f"{ref}/nobody/evaluateExpression?expression=x", status=404)

    visited(work)


def test_variables_are_evaluated_behind_the_stages_that_are_named() -> None:
    async def work(site: Website) -> None:
        ref = await ran(site)
        listed = [{"key": "a", "value": "${colour}"}, {"key": "b", "value": "${a + '!'}"}]

        behind = await call(site, "POST", f"{ref}/evaluateVariables?requisiteStageRefIds=v,w", listed)
        before = await call(site, "POST", f"{ref}/evaluateVariables", listed)
        at_once = await call(site, "POST", f"{ref}/evaluateVariables?requisiteStageRefIds=v&spelVersion=v3", listed[1:])

        assert [one["value"] for one in behind["result"]] == ["red", "red!"]
        assert behind["detail"] is None
        assert before["result"][0]["value"] == "${colour}"
        assert "colour" in before["detail"]
        assert at_once["result"][0]["value"] == "null!"
        await call(site, "POST", f"{ref}/evaluateVariables", {"key": "a"}, status=400)
        after = await call(site, "GET", ref)
        assert [one["refId"] for one in after["stages"]] == ["v", "w"]

    visited(work)


def test_functions_and_evaluators_are_listed() -> None:
    async def work(site: Website) -> None:
        found = await call(site, "GET", "/capabilities/expressions")

        functions = {one["name"]: one["parameters"] for one in found["functions"]}
        assert functions["#toInt"] == [{"name": "argument1", "type": "String"}]
        assert [one["versionKey"] for one in found["spelEvaluators"]] == ["v4", "v3", "v2"]

    visited(work)
