"""The pipelines of the kill test: the demo's, with short canary intervals, and a few that use what the demo doesn't."""

from gennaker.demo import pipelines
from gennaker.model.codec import Json, JsonObject

_GRACE = "PT1H"
_PERCENT = 30.0
"""Of baseline and canary each: few visitors must be enough here."""
_DELIVERY = "11111111-0000-4000-8000-000000000001"
_CHILD = "11111111-0000-4000-8000-000000000002"

CANARY_CONFIG: JsonObject = {
    "id": "shop-canary",
    "name": "shop-canary",
    "configVersion": "1.0",
    "applications": ["shop"],
    "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
    "metrics": [
        {
            # Always 0 on both sides: what is measured in two runs must be the same to the last digit.
            "name": "errors per 100 requests",
            "query": {
                "type": "embedded",
                "numerator": {"metric": "http_requests_total", "labels": {"status": "5*"}},
                "denominator": {"metric": "http_requests_total"},
                "scale": 100,
            },
            "groups": ["errors"],
            "scopeName": "default",
            "analysisConfigurations": {"canary": {"direction": "increase", "critical": True}},
        }
    ],
    "templates": {},
    "classifier": {"groupWeights": {"errors": 100}},
}


def of_first_version(*, repository: str, secret: str, starts: str) -> list[JsonObject]:
    """Build and first release; `starts` is the file in which started programs note it."""
    found = (
        pipelines.build("shop", repository=repository, secret=secret, depends_on=("libs/storefront",)),
        pipelines.first_release("shop", grace_period=_GRACE),
    )
    return [_noting(pipeline, starts) for pipeline in found]


def of_later_versions(*, webhook: str, starts: str) -> list[JsonObject]:
    """All others. Saved when the first version is there: it would be delivered too."""
    return [_noting(pipeline, starts) for pipeline in (_delivery(webhook), _look_after(webhook), _child(), _endless())]


def _delivery(webhook: str) -> JsonObject:
    delivery = pipelines.delivery_of_shop(traffic_percent=_PERCENT, grace_period=_GRACE, webhook=webhook)
    stages = delivery["stages"]
    assert isinstance(stages, list)
    for stage in stages:
        assert isinstance(stage, dict)
        if stage["type"] == "kayentaCanary":
            assert isinstance(stage["canaryConfig"], dict)
            stage["canaryConfig"] |= {
                "lifetimeDuration": "PT6S",
                "canaryAnalysisInterval": "PT3S",
                "beginCanaryAnalysisAfter": "PT1S",
            }
    return {**delivery, "id": _DELIVERY}


def _look_after(webhook: str) -> JsonObject:
    """Started by the delivery's end; waits, also in vain until its time is over, starts a pipeline, tells of its own end."""
    stages: list[Json] = [
        {
            "refId": "1",
            "type": "wait",
            "name": "Let it run",
            "waitTime": 1,
            "sendNotifications": True,
            "notifications": [{"type": "webhook", "address": webhook, "when": ["stage.complete"]}],
        },
        {
            "refId": "2",
            "requisiteStageRefIds": ["1"],
            "type": "wait",
            "name": "Ask again",
            "waitTime": 0.2,
            # Nobody has an answer, so it is asked once more before the task.
            "whatFor": "${#pipelineId('nobody')}",
        },
        {
            "refId": "3",
            "requisiteStageRefIds": ["2"],
            "type": "wait",
            "name": "Wait in vain",
            "waitTime": 3600,
            "stageTimeoutMs": 2000,
            "failPipeline": False,
            "continuePipeline": True,
        },
        {"refId": "4", "requisiteStageRefIds": ["3"], "type": "pipeline", "name": "Look", "pipeline": _CHILD},
    ]
    return {
        "application": "shop",
        "name": "look-after-shop",
        "triggers": [
            {
                "type": "pipeline",
                "enabled": True,
                "application": "shop",
                "pipeline": _DELIVERY,
                "status": ["successful"],
            }
        ],
        "notifications": [{"type": "webhook", "address": webhook, "when": ["pipeline.complete"]}],
        "stages": stages,
    }


def _child() -> JsonObject:
    return {
        "application": "shop",
        "id": _CHILD,
        "name": "look-at-shop",
        "stages": [{"refId": "1", "type": "wait", "name": "Look", "waitTime": 1}],
    }


def _endless() -> JsonObject:
    note = """import json, os, time
open(os.environ["STARTS"], "a").write(json.dumps({"what": "job endless"}) + chr(10))
time.sleep(600)"""
    return {
        "application": "shop",
        "name": "endless-shop",
        "parameterConfig": [{"name": "image", "required": True}],
        "stages": [
            {
                "refId": "1",
                "type": "runJob",
                "name": "Endless",
                "account": "local",
                "cloudProvider": "local",
                "region": "local",
                "image": "${parameters.image}",
                "command": ["python3", "-c", note],
            }
        ],
    }


def _noting(pipeline: JsonObject, starts: str) -> JsonObject:
    """Tells every program that is started where to note it."""

    def told(value: Json) -> Json:
        match value:
            case list():
                return [told(item) for item in value]
            case dict():
                found = {key: told(item) for key, item in value.items()}
                is_program = "capacity" in value or value.get("type") == "runJob"
                return {**found, "environment": {"STARTS": starts}} if is_program else found
            case _:
                return value

    noting = told(pipeline)
    assert isinstance(noting, dict)
    return noting
