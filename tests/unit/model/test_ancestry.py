"""What a trigger keeps of the execution that has started it."""

from tests import make

from gennaker.model import ancestry
from gennaker.model.codec import JsonObject


def generation(number: int, trigger: JsonObject) -> JsonObject:
    head = make.head(id=f"e{number}", name=f"run {number}", pipeline_config_id=f"p{number}", trigger=trigger)
    return ancestry.outline(head)


def test_it_says_who_that_is_and_what_has_started_it() -> None:
    build: JsonObject = {"name": "shop", "number": 7, "url": "https://ci/7", "artifacts": [{"name": "a.jar"}]}

    shown = generation(1, {"type": "jenkins", "user": "eve", "payload": {"much": "x"}, "buildInfo": build})

    assert (shown["id"], shown["name"], shown["pipelineConfigId"]) == ("e1", "run 1", "p1")
    assert shown["trigger"] == {
        "type": "jenkins",
        "user": "eve",
        "buildInfo": {"name": "shop", "number": 7, "url": "https://ci/7"},
    }


def test_a_chain_that_never_ends_is_told_for_three_generations() -> None:
    shown: JsonObject = {}
    for number in range(9):
        trigger: JsonObject = {"type": "pipeline", "user": "eve"}
        shown = generation(number, trigger | ({"parentExecution": shown} if shown else {}))

    names = []
    while shown:
        names.append(shown["name"])
        trigger = shown["trigger"]  # type: ignore[assignment]  # a map, as in each of them
        shown = trigger.get("parentExecution", {})  # type: ignore[assignment]  # the same

    assert names == ["run 8", "run 7", "run 6"]
