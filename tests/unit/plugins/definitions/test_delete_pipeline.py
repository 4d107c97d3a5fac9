"""Delete pipeline: by name."""

from tests.jobs import Installation, encoded

from gennaker.model.codec import JsonObject

PIPELINE: JsonObject = {"application": "shop", "name": "deliver", "stages": []}


def test_it_is_found_by_its_name_whatever_the_case() -> None:
    installed = Installation()
    installed.save("pipeline", "p", PIPELINE)
    installed.save("pipeline", "q", {**PIPELINE, "name": "other"})

    stage = installed.done("deletePipeline", pipeline=encoded({"application": "shop", "name": "Deliver "}))

    assert stage.context["pipeline.id"] == "p"
    assert [one.id for one in installed.list("pipeline")] == ["q"]


def test_deleting_what_is_not_there_is_no_error() -> None:
    assert Installation().done("deletePipeline", pipeline={"application": "shop", "name": "x"})
