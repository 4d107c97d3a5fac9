"""Update pipeline: only what exists."""

from tests.jobs import Installation, encoded

from gennaker.model.codec import JsonObject

PIPELINE: JsonObject = {"application": "shop", "name": "deliver", "id": "p", "stages": []}


def test_it_stores_a_new_version() -> None:
    installed = Installation()
    installed.save("pipeline", "p", PIPELINE)

    stage = installed.done("updatePipeline", pipeline=encoded({**PIPELINE, "disabled": True}))

    found = installed.get("pipeline", "p")
    assert found is not None
    assert (found["disabled"], stage.context["pipeline.id"]) == (True, "p")


def test_what_does_not_exist_is_not_made() -> None:
    installed = Installation()

    assert "There is no pipeline 'p'" in installed.refused("updatePipeline", pipeline=encoded(PIPELINE))
    assert installed.list("pipeline") == ()
