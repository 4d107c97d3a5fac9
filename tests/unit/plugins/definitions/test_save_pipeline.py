"""Save pipeline: ids, places, names, staleness, many at once, and a repeat after a crash."""

from typing import Any

import pytest
from tests.jobs import Installation, encoded
from tests.make import stage_json

from gennaker.model.codec import Json, JsonObject
from gennaker.model.statuses import Status

PIPELINE: JsonObject = {"application": "shop", "name": "deliver", "stages": [stage_json("w", type="wait")]}


def saved(installed: Installation, **fields: Any) -> Any:
    stage = installed.done("savePipeline", pipeline=encoded({**PIPELINE, **fields}))
    return installed.get("pipeline", stage.context["pipeline.id"])


def test_a_new_one_gets_an_id_the_next_place_and_says_who_saved_it() -> None:
    installed = Installation()
    first = saved(installed)
    second = saved(installed, name="build", comments="${ not evaluated }")

    assert {key: first[key] for key in PIPELINE} == PIPELINE
    assert (first["index"], second["index"]) == (0, 1)
    assert (second["lastModifiedBy"], second["comments"]) == ("tester", "${ not evaluated }")
    assert first["id"] != second["id"]
    assert first["updateTs"] == first["createTs"]
    assert first["updateTs"].isdigit()


def test_an_existing_one_keeps_its_place_and_its_beginning() -> None:
    installed = Installation()
    first = saved(installed)

    again = saved(installed, id=first["id"], name="renamed")

    assert (again["index"], again["createTs"], again["name"]) == (0, first["createTs"], "renamed")
    assert int(again["updateTs"]) > int(first["updateTs"])
    assert len(installed.list("pipeline")) == 1


def test_a_definition_that_is_not_encoded_is_taken_too() -> None:
    stage = Installation().done("savePipeline", pipeline=PIPELINE)

    assert stage.context["pipeline.name"] == "deliver"
    assert stage.context["notification.type"] == "savepipeline"


def test_a_masked_trigger_secret_is_the_stored_one_and_is_told_to_nobody() -> None:
    installed = Installation()
    trigger: JsonObject = {"type": "git", "source": "github", "secret": "s3cret"}
    masked: JsonObject = {**trigger, "secret": "****"}
    first = saved(installed, triggers=[trigger])

    again = saved(installed, id=first["id"], triggers=[masked], description="again")
    bulk: list[Json] = [{**PIPELINE, "name": "other", "triggers": [one], "stages": "x"} for one in (trigger, masked)]
    stage = installed.done("savePipeline", isBulkSavingPipelines=True, pipelines=encoded(bulk))

    assert again["triggers"] == [trigger]
    assert "masked" in installed.refused("savePipeline", pipeline=encoded({**PIPELINE, "triggers": [masked]}))
    assert "s3cret" not in repr(stage.context["bulksave"])


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        (encoded({**PIPELINE, "name": " Deliver"}), "A pipeline with name  Deliver already exists in application shop"),
        (encoded({"application": "shop", "stages": []}), "The pipeline has no name"),
        (encoded({**PIPELINE, "name": "x", "stages": [stage_json("a", "a")]}), "in a circle"),
        (encoded({**PIPELINE, "name": "x", "type": "templatedPipeline", "schema": "v2"}), "but not which"),
        (encoded(["x"]), "must be an object"),
        ("{}", "must be base64 of JSON"),
    ],
)
def test_what_can_not_be_saved_is_said_and_nothing_stored(pipeline: str, said: str) -> None:
    installed = Installation()
    saved(installed)

    assert said in installed.refused("savePipeline", pipeline=pipeline)
    assert len(installed.list("pipeline")) == 1


def test_a_job_without_pipeline_is_refused() -> None:
    assert "The job has no `pipeline`" in Installation().refused("savePipeline")


def test_a_save_on_top_of_an_older_version_is_refused_where_that_is_asked_for() -> None:
    installed = Installation()
    first = saved(installed)
    saved(installed, id=first["id"], description="other")

    stale = encoded({**first, "description": "mine"})

    assert "does not match the stored updateTs" in installed.refused("savePipeline", pipeline=stale, staleCheck=True)
    assert installed.done("savePipeline", pipeline=stale)
    newest = installed.get("pipeline", first["id"])
    assert installed.done("savePipeline", pipeline=encoded(newest), staleCheck=True)


def test_of_many_those_that_can_be_saved_are() -> None:
    installed = Installation()
    many: list[Json] = [PIPELINE, {**PIPELINE, "name": ""}, {**PIPELINE, "name": "build"}, PIPELINE, 7]

    stage = installed.done("savePipeline", pipelines=encoded(many), isBulkSavingPipelines=True)

    result = stage.context["bulksave"]
    assert (result["successful_pipelines_count"], result["successful_pipelines"]) == (2, ["deliver", "build"])
    assert result["failed_pipelines_count"] == 3
    assert "already exists" in result["failed_pipelines"][1]["errorMsg"]
    assert len(installed.list("pipeline")) == 2


@pytest.mark.parametrize("strict", [True, False])
def test_a_repeat_after_a_crash_stores_nothing_twice(strict: bool) -> None:
    installed = Installation()
    first = saved(installed)
    changed = encoded({**first, "description": "mine"})

    execution = installed.job(
        "savePipeline", pipeline=changed, staleCheck=strict, kill_at=("effect.after:RunTask:savePipeline.savePipeline",)
    )
    new = installed.job(
        "savePipeline",
        pipeline=encoded({**PIPELINE, "name": "build"}),
        kill_at=("effect.after:RunTask:savePipeline.savePipeline",),
    )

    assert (execution.head.status, new.head.status) == (Status.SUCCEEDED, Status.SUCCEEDED)
    assert installed.revisions("pipeline", first["id"]) == 2
    assert len(installed.list("pipeline")) == 2
