"""References: what imported pipelines name by id, and that is nowhere."""

from gennaker.migration import references
from gennaker.migration.gaps import Weight
from gennaker.model.codec import JsonObject


def test_what_is_named_and_is_nowhere_is_told_with_its_place() -> None:
    pipeline: JsonObject = {
        "application": "shop",
        "name": "Deliver",
        "stages": [
            {"type": "pipeline", "pipeline": "here"},
            {"type": "pipeline", "pipeline": "gone", "application": "cart"},
            {"type": "pipeline", "pipeline": "${ trigger.which }"},
            {"type": "pipeline"},
            {"type": "kayentaCanary", "canaryConfig": {"canaryConfigId": "c1"}},
            {"type": "kayentaCanary", "canaryConfig": {"canaryConfigId": "c2"}},
            {"type": "wait", "pipeline": "gone"},
            "odd",
        ],
        "triggers": [
            {"type": "pipeline", "pipeline": "here"},
            {"type": "pipeline", "pipeline": "gone"},
            {"type": "git", "pipeline": "gone"},
        ],
    }

    found = references.missing([pipeline], known=frozenset({"here"}), canary_configs=frozenset({"c1"}))

    assert [(one.weight, one.code, one.pointer) for one in found] == [
        (Weight.STOPS, "pipeline.missing", "/stages/1/pipeline"),
        (Weight.STOPS, "canary_config.missing", "/stages/5/canaryConfig/canaryConfigId"),
        (Weight.DIFFERS, "pipeline.missing", "/triggers/1/pipeline"),
    ]
