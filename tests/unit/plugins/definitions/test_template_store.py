"""Template store: creating, updating and deleting pipeline templates, with tags, digests and pipelines that use them."""

from typing import Any

import pytest
from tests.jobs import Installation, encoded
from tests.make import stage_json

from gennaker.model import template_references
from gennaker.model.codec import JsonObject
from gennaker.model.statuses import Status

TEMPLATE: JsonObject = {
    "schema": "v2",
    "id": "deliver",
    "metadata": {"name": "Deliver"},
    "variables": [{"name": "seconds", "type": "int", "defaultValue": 5}],
    "pipeline": {"stages": [stage_json("w", type="wait", waitTime="${ templateVariables.seconds }")]},
}
DIGEST = template_references.digest_of(TEMPLATE)


def use(reference: str = "spinnaker://deliver", **fields: Any) -> JsonObject:
    return {
        "schema": "v2",
        "type": "templatedPipeline",
        "application": "shop",
        "name": "deliver shop",
        "template": {"reference": reference},
        **fields,
    }


def created(tag: str = "", **fields: Any) -> Installation:
    installed = Installation()
    create(installed, tag, **fields)
    return installed


def create(installed: Installation, tag: str = "", **fields: Any) -> Any:
    tagged = {"tag": tag} if tag else {}
    return installed.done("createV2PipelineTemplate", pipelineTemplate=encoded({**TEMPLATE, **fields}), **tagged)


def keys(installed: Installation) -> set[str]:
    return {one.id for one in installed.list("template")}


@pytest.mark.parametrize(("tag", "own"), [("", "deliver"), ("stable", "deliver:stable")])
def test_a_template_is_stored_under_its_key_as_latest_and_under_its_digest(tag: str, own: str) -> None:
    installed = created(tag)

    assert keys(installed) == {own, "deliver:latest", f"deliver@sha256:{DIGEST}"}
    found = installed.get("template", own)
    assert found is not None
    assert (found["id"], found["digest"], found.get("tag", "")) == ("deliver", DIGEST, tag)
    assert found["variables"] == TEMPLATE["variables"]


def test_what_exists_can_not_be_created_again_except_under_another_tag() -> None:
    installed = created()

    said = installed.refused("createV2PipelineTemplate", pipelineTemplate=encoded(TEMPLATE))
    create(installed, "test")

    assert "A pipeline template with the id deliver already exists" in said
    assert "deliver:test" in keys(installed)


@pytest.mark.parametrize(
    ("template", "tag", "said"),
    [
        ({**TEMPLATE, "schema": "1"}, "", "has the schema 'v2'"),
        ({**TEMPLATE, "pipeline": None}, "", "has a `pipeline`"),
        (TEMPLATE, "moon", "The provided tag 'moon' is not supported"),
        (7, "", "must be an object"),
    ],
)
def test_what_is_no_template_is_refused(template: Any, tag: str, said: str) -> None:
    installed = Installation()

    assert said in installed.refused("createV2PipelineTemplate", pipelineTemplate=encoded(template), tag=tag)
    assert keys(installed) == set()


def test_an_update_moves_the_tag_and_latest_and_keeps_the_older_digest() -> None:
    installed = created("stable")
    changed = {**TEMPLATE, "metadata": {"name": "Deliver better"}}

    installed.done("updateV2PipelineTemplate", id="deliver", pipelineTemplate=encoded(changed), tag="stable")

    digest = template_references.digest_of(changed)
    assert keys(installed) == {
        "deliver:stable",
        "deliver:latest",
        f"deliver@sha256:{DIGEST}",
        f"deliver@sha256:{digest}",
    }
    latest: Any = installed.get("template", "deliver:latest")
    assert (latest["digest"], latest["metadata"]["name"]) == (digest, "Deliver better")


def test_only_what_exists_can_be_updated_and_only_as_itself() -> None:
    assert "no pipeline template 'deliver'" in Installation().refused(
        "updateV2PipelineTemplate", pipelineTemplate=encoded(TEMPLATE)
    )
    assert "isn't the one that is to be updated" in created().refused(
        "updateV2PipelineTemplate", id="other", pipelineTemplate=encoded(TEMPLATE)
    )


def test_an_update_that_breaks_a_pipeline_is_refused_unless_that_is_wanted() -> None:
    installed = created()
    installed.save("pipeline", "p", use())
    breaking = encoded(
        {**TEMPLATE, "variables": [{"name": "seconds", "type": "int"}, {"name": "who", "type": "string"}]}
    )

    said = installed.refused("updateV2PipelineTemplate", pipelineTemplate=breaking)

    assert "Pipeline shop: deliver shop would break: Missing variable values for: seconds, who." in said
    assert installed.revisions("template", "deliver") == 1
    assert installed.done("updateV2PipelineTemplate", pipelineTemplate=breaking, skipPlanDependents=True)


def test_an_update_of_a_tag_breaks_no_pipeline_whose_bare_id_means_the_latest() -> None:
    installed = created("stable")
    installed.save("pipeline", "p", use(variables={"seconds": 7}))
    breaking = encoded({**TEMPLATE, "variables": [{"name": "who", "type": "string"}]})

    said = installed.refused("updateV2PipelineTemplate", pipelineTemplate=breaking, tag="stable")

    assert "Pipeline shop: deliver shop would break: Missing variable values for: who." in said


@pytest.mark.parametrize(("tag", "reference"), [("test", ""), ("test", ":latest"), ("", "")])
def test_a_new_tag_breaks_no_pipeline_that_gets_the_latest(tag: str, reference: str) -> None:
    installed = created("stable")
    installed.save("pipeline", "p", use(f"spinnaker://deliver{reference}", variables={"seconds": 7}))
    breaking = encoded({**TEMPLATE, "variables": [{"name": "who", "type": "string"}]})

    said = installed.refused("createV2PipelineTemplate", pipelineTemplate=breaking, tag=tag)

    assert "Pipeline shop: deliver shop would break: Missing variable values for: who." in said
    assert installed.revisions("template", "deliver:latest") == 1


def test_a_new_tag_is_created_whatever_pipelines_of_other_copies_would_say() -> None:
    installed = created("stable")
    installed.save("pipeline", "p", use("spinnaker://deliver:stable", variables={"seconds": 7}))
    installed.save("pipeline", "q", use("spinnaker://deliver:test", name="broken until now"))

    create(installed, "test", variables=[{"name": "who", "type": "string"}])

    assert "deliver:test" in keys(installed)


def test_a_pipeline_made_from_a_stored_template_is_saved_and_runs() -> None:
    installed = created("stable")
    config = use("spinnaker://deliver:stable", variables={"seconds": 7})

    stage = installed.done("savePipeline", pipeline=encoded(config))
    execution = installed.harness.run({**config, "id": stage.context["pipeline.id"]})

    assert execution.head.status is Status.SUCCEEDED
    assert next(execution.top_level()).context["waitTime"] == 7


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({}, set()),
        ({"tag": "stable"}, {"deliver:latest", f"deliver@sha256:{DIGEST}"}),
        ({"digest": DIGEST}, {"deliver:stable", "deliver:latest"}),
        ({"digest": f"sha256:{DIGEST}"}, {"deliver:stable", "deliver:latest"}),
        ({"tag": "test"}, {"deliver:stable", "deliver:latest", f"deliver@sha256:{DIGEST}"}),
    ],
)
def test_a_tag_a_digest_or_all_of_it_is_deleted(fields: JsonObject, left: set[str]) -> None:
    installed = created("stable")

    installed.done("deleteV2PipelineTemplate", pipelineTemplateId="deliver", **fields)

    assert keys(installed) == left


@pytest.mark.parametrize(
    ("reference", "fields", "is_refused"),
    [
        ("spinnaker://deliver", {}, True),
        ("spinnaker://deliver", {"tag": "latest"}, True),
        ("spinnaker://deliver", {"tag": "stable"}, False),
        ("spinnaker://deliver:stable", {}, True),
        ("spinnaker://deliver:stable", {"tag": "stable"}, True),
        ("spinnaker://deliver:latest", {"tag": "stable"}, False),
        ("spinnaker://other", {}, False),
    ],
)
def test_what_a_pipeline_uses_is_not_deleted(reference: str, fields: JsonObject, *, is_refused: bool) -> None:
    installed = created("stable")
    installed.save("pipeline", "p", use(reference))

    execution = installed.job("deleteV2PipelineTemplate", pipelineTemplateId="deliver", **fields)

    assert (execution.head.status is Status.TERMINAL) == is_refused


def test_tag_and_digest_at_once_are_refused() -> None:
    said = created().refused("deleteV2PipelineTemplate", pipelineTemplateId="deliver", tag="stable", digest="ab")

    assert "not both at once" in said


def test_a_crash_while_it_is_created_leaves_it_whole() -> None:
    installed = Installation()

    execution = installed.job(
        "createV2PipelineTemplate",
        pipelineTemplate=encoded(TEMPLATE),
        kill_at=("effect.after:RunTask:createV2PipelineTemplate.createV2PipelineTemplate",),
    )

    assert execution.head.status is Status.SUCCEEDED
    assert installed.revisions("template", "deliver") == 1
