"""Run multiple pipelines: their order, what a failure does to the others, rolling back, and ends that come from outside."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tests import make
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import TESTER, Harness, problem_of, reached

from gennaker.interfaces.services import Services
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import CancelAsked
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.flow import plugin as flow

CIRCLE = "a, b depend on one another in a circle"


class Bundle:
    """An installation with pipelines that wait for some minutes, or fail at once."""

    def __init__(self, **minutes: float) -> None:
        self.harness = Harness(flow.plugin, scripted.plugin(Target()))
        for name, length in minutes.items():
            self.save(name, make.stage_json("w", type="wait", waitTime=60 * length))

    def save(self, name: str, *stages: JsonObject, application: str = "shop", **keys: Json) -> None:
        body: JsonObject = {
            "application": application,
            "name": f"deploy {name}",
            "id": name,
            "stages": [*stages],
            **keys,
        }
        asyncio.run(self.harness.definitions.save("pipeline", name, body, author="ada"))

    def run(self, config: Any, *, meanwhile: Any = None, kill_at: tuple[str, ...] = (), **keys: Any) -> Execution:
        stage = make.stage_json("r", type="runMultiplePipelines", yamlConfig=config, **keys)
        return self.harness.run(make.config(stage), meanwhile=meanwhile, kill_at=kill_at)

    def children(self) -> list[Execution]:
        return [one for one in self.harness.executions() if one.head.name.startswith("deploy ")]

    def began(self, execution: Execution) -> dict[str, float]:
        """After how many minutes each began."""
        start = execution.head.build_time
        return {
            one.head.pipeline_config_id or "": round((one.head.build_time - start) / timedelta(minutes=1))
            for one in self.children()
        }


def stage_of(execution: Execution) -> Any:
    return next(execution.top_level())


def test_each_starts_as_soon_as_what_it_depends_on_has_succeeded() -> None:
    bundle = Bundle(a=1, b=5, c=1, d=1)
    config = [
        {"app": "a", "child": "deploy a", "arguments": {"tag": "1.2"}},
        {"app": "b", "child": "deploy b"},
        {"app": "c", "child": "deploy c", "depends_on": ["a"]},
        {"app": "d", "child": "deploy d", "depends_on": ["b", "c"]},
    ]

    execution = bundle.run(config)

    stage = stage_of(execution)
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert bundle.began(execution) == {"a": 0, "b": 0, "c": 1, "d": 5}
    assert [task.name for task in stage.tasks] == [
        "parsePipelinesYamlTask",
        "runMultiplePipelines",
        "monitorMultiplePipelinesTask",
        "saveOutputsForDetailsTask",
    ]
    assert [(one["app"], one["status"]) for one in stage.outputs["executionsList"]] == [
        (name, "SUCCEEDED") for name in "abcd"
    ]
    child = bundle.children()[0].head
    assert (child.trigger["type"], child.trigger["parameters"]) == ("pipeline", {"tag": "1.2"})
    assert child.root_id == execution.head.id


@pytest.mark.parametrize(
    "config",
    [
        "- {app: a, child: deploy a}\n- {app: b, child: b, depends_on: [a]}\n",
        {"bundle_web": {"a": {"child_pipeline": "deploy a"}, "b": {"child_pipeline": "b", "depends_on": ["a"]}}},
        [{"bundle_web": {"a": {"child": "deploy a"}, "b": {"child": "b", "depends_on": ["a"]}}}],
        {"a": {"child": "deploy a"}, "b": {"child": "b", "depends_on": ["a"]}},
    ],
)
def test_it_may_be_written_in_several_ways(config: Any) -> None:
    bundle = Bundle(a=1, b=1)

    assert bundle.run(config).head.status is Status.SUCCEEDED
    assert [one.head.pipeline_config_id for one in bundle.children()] == ["a", "b"]


def test_a_pipeline_is_looked_for_in_the_application_of_its_name_and_in_one_that_is_said() -> None:
    bundle = Bundle()
    bundle.save("x", make.stage_json("m", type="make"), application="cart")
    bundle.save("y", make.stage_json("m", type="make"), application="other")

    execution = bundle.run(
        [{"app": "cart", "child": "deploy x"}, {"app": "why", "application": "other", "child": "deploy y"}]
    )

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [one.head.application for one in bundle.children()] == ["cart", "other"]


def test_after_a_failure_nothing_more_starts_but_what_runs_goes_on() -> None:
    bundle = Bundle(a=5, c=1)
    bundle.save("b", make.stage_json("f", type="fail", name="Break"))

    execution = bundle.run(
        [
            {"app": "a", "child": "a"},
            {"app": "b", "child": "b"},
            {"app": "c", "child": "c", "depends_on": ["a"]},
        ]
    )

    said = problem_of(execution)
    assert execution.head.status is Status.TERMINAL
    assert [(one["app"], one["status"]) for one in stage_of(execution).outputs["executionsList"]] == [
        ("a", "SUCCEEDED"),
        ("b", "TERMINAL"),
        ("c", "NOT_STARTED"),
    ]
    assert "b has ended TERMINAL (Exception in child pipeline stage (deploy b: Break): It was meant to fail.)" in said
    assert "c was not started" in said
    assert "Rolled back" not in said


@pytest.mark.parametrize("where", ["stage", "bundle"])
def test_those_that_had_succeeded_are_rolled_back_to_their_success_before(where: str) -> None:
    bundle = Bundle(a=1, never=1)
    bundle.save("b", make.stage_json("f", type="fail"))
    good: Any = {"a": {"child": "a", "arguments": {"tag": "1"}}}
    assert bundle.run(good).head.status is Status.SUCCEEDED
    config: Any = {
        "a": {"child": "a", "arguments": {"tag": "2"}},
        "never": {"child": "never"},
        "b": {"child": "b", "depends_on": ["a", "never"]},
        **({"rollback_onfailure": "true"} if where == "bundle" else {}),
    }

    execution = bundle.run(config, **({"rollback": True} if where == "stage" else {}))

    assert execution.head.status is Status.TERMINAL
    assert problem_of(execution).endswith("Rolled back: a")
    tags = [one.head.trigger["parameters"] for one in bundle.children() if one.head.pipeline_config_id == "a"]
    assert tags == [{"tag": "1"}, {"tag": "2"}, {"tag": "1"}]
    assert [app.get("rollbackStatus") for app in stage_of(execution).context["apps"]] == ["SUCCEEDED", "SKIPPED", None]


def test_where_all_succeed_nothing_is_rolled_back() -> None:
    bundle = Bundle(a=1, b=1)

    for _ in range(2):
        execution = bundle.run([{"app": "a", "child": "deploy a"}, {"app": "b", "child": "deploy b"}], rollback=True)

        assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
        assert [app.get("rollbackStatus") for app in stage_of(execution).context["apps"]] == [None, None]

    assert len(bundle.children()) == 4


def test_one_that_cannot_be_started_hides_none_that_was() -> None:
    bundle = Bundle(a=1)
    bundle.save("b", disabled=True)

    execution = bundle.run([{"app": "a", "child": "a"}, {"app": "b", "child": "b"}])

    assert "b was not started: The pipeline 'deploy b' is disabled." in problem_of(execution)
    assert [one["status"] for one in stage_of(execution).outputs["executionsList"]] == ["SUCCEEDED", "TERMINAL"]


def test_a_kill_between_starts_starts_nothing_twice() -> None:
    bundle = Bundle(a=1, b=1)
    after = "effect.after:RunTask:runMultiplePipelines.runMultiplePipelines"

    execution = bundle.run(
        [{"app": "a", "child": "a"}, {"app": "b", "child": "b", "depends_on": ["a"]}],
        kill_at=(after, f"{after}#3"),
    )

    assert bundle.harness.probe.seen.count(after) == 4
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert len(bundle.children()) == 2


def test_cancelling_ends_all_children() -> None:
    bundle = Bundle(a=60, b=60)

    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "runMultiplePipelines", task="monitorMultiplePipelinesTask")
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)
        await services.clock.sleep_until(services.clock.now() + timedelta(seconds=5))

    execution = bundle.run([{"app": "a", "child": "a"}, {"app": "b", "child": "b"}], meanwhile=cancel)

    assert execution.head.status is Status.CANCELED
    assert [(one.head.status, one.head.canceled_by) for one in bundle.children()] == [
        (Status.CANCELED, "parent pipeline")
    ] * 2


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "it is no YAML"),
        ([], "it lists no pipelines"),
        ([{"app": "a"}], "'a' names no pipeline as `child`"),
        ([{"app": "a", "child": "zzz"}], "there is no pipeline 'zzz' in a or shop"),
        ([{"app": "a", "child": "a"}, {"app": "a", "child": "b"}], "it has a twice"),
        ([{"app": "a", "child": "a", "depends_on": ["x"]}], "a depends on x, which it doesn't list"),
        (
            [{"app": "a", "child": "a", "depends_on": ["b"]}, {"app": "b", "child": "b", "depends_on": ["a"]}],
            CIRCLE,
        ),
        ([{"app": str(number), "child": "a"} for number in range(101)], "it lists 101 pipelines"),
    ],
)
def test_a_list_that_cannot_be_run_says_why_and_starts_nothing(config: Any, said: str) -> None:
    bundle = Bundle(a=1, b=1)

    execution = bundle.run(config)

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)
    assert bundle.children() == []
