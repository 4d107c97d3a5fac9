"""Documents that are right, and random values at random places of them."""

from collections.abc import Iterator

from hypothesis import strategies as st

from gennaker.model import pointers
from gennaker.model.codec import Json, JsonObject

CANARY_CONFIG: JsonObject = {
    "name": "errors",
    "configVersion": "1.0",
    "applications": ["shop"],
    "judge": {"name": "NetflixACAJudge-v1.0", "judgeConfigurations": {}},
    "metrics": [
        {
            "name": "errors",
            "query": {
                "type": "embedded",
                "numerator": {"metric": "a", "labels": {"status": ["5*"]}},
                "denominator": {"metric": "b"},
                "scale": 100,
            },
            "groups": ["quality"],
            "analysisConfigurations": {"canary": {"direction": "increase", "outliers": {"strategy": "keep"}}},
            "scopeName": "default",
        },
        {
            "name": "latency",
            "query": {"type": "prometheus", "metricName": "x", "labelBindings": ["a=b"], "customFilterTemplate": "t"},
            "groups": ["speed"],
            "scopeName": "default",
        },
    ],
    "templates": {"t": "x"},
    "classifier": {"groupWeights": {"quality": 60, "speed": 40}},
}
_ARTIFACT: JsonObject = {"type": "docker/image", "name": "shop", "version": "1", "reference": "shop:1"}
_EXPECTED: JsonObject = {
    "id": "image",
    "displayName": "image",
    "matchArtifact": _ARTIFACT,
    "useDefaultArtifact": True,
    "defaultArtifact": _ARTIFACT,
    "usePriorArtifact": False,
}
_NOTIFICATION: JsonObject = {
    "type": "email",
    "address": "team@example.org",
    "level": "stage",
    "when": ["stage.failed", "stage.complete"],
    "message": {"stage.failed": {"text": "Oh."}},
}
_CLUSTER: JsonObject = {
    "account": "local",
    "region": "local",
    "cloudProvider": "fake",
    "application": "shop",
    "stack": "prod",
    "strategy": "redblack",
    "capacity": {"min": 1, "max": 2, "desired": 1},
    "loadBalancers": ["shop-prod"],
    "image": "registry/shop@sha256:old",
    "environment": {"A": "b"},
    "labels": {"a": "b"},
    "targetPercentages": [50, 100],
    "upTimeout": "PT30S",
    "gracePeriod": 0,
    "rollback": {"onFailure": True},
    "verify": {"wait": {"waitTime": 1}},
}
COMMON: JsonObject = {
    "comments": "Nothing.",
    "failPipeline": False,
    "continuePipeline": True,
    "completeOtherBranchesThenFail": False,
    "failOnFailedExpressions": False,
    "stageTimeoutMs": 60000,
    "backoffPeriodMs": 1000,
    "stageEnabled": {"type": "expression", "expression": "true"},
    "restrictExecutionDuringTimeWindow": True,
    "restrictedExecutionWindow": {
        "days": [1, 2, 3, 4, 5, 6, 7],
        "whitelist": [{"startHour": 0, "startMin": 0, "endHour": 23, "endMin": 59}],
        "jitter": {"enabled": True, "minDelay": 1, "maxDelay": 2, "skipManual": False},
    },
    "sendNotifications": True,
    "notifications": [_NOTIFICATION],
    "expectedArtifacts": [_EXPECTED],
}
_CANARY: JsonObject = {
    "canaryConfig": {
        "canaryConfig": CANARY_CONFIG,
        "scopes": [{"scopeName": "default", "controlScope": "a", "experimentScope": "b", "step": 1}],
        "scoreThresholds": {"pass": 75, "marginal": "50"},
        "lifetimeDuration": "PT1M",
        "canaryAnalysisIntervalMins": 1,
    },
    "deployments": {
        "baseline": {"application": "shop", "account": "local", "cluster": "shop-prod"},
        "serverGroupPairs": [
            {"control": {**_CLUSTER, "stack": "baseline"}, "experiment": {**_CLUSTER, "stack": "canary"}}
        ],
        "delayBeforeCleanup": "PT0S",
    },
}
DEPLOY: JsonObject = {"type": "deploy", "clusters": [_CLUSTER]}
STAGES: tuple[JsonObject, ...] = (
    {"type": "wait", "waitTime": 1, "skipRemainingWait": False, **COMMON},
    {"type": "waitUntil", "epochMillis": 5},
    {"type": "manualJudgment", "instructions": "Look.", "judgmentInputs": [{"value": "go"}], "selectedStageRoles": ["ops"]},
    {
        "type": "checkPreconditions",
        "preconditions": [
            {"type": "expression", "failPipeline": False, "context": {"expression": "1 == 1", "failureMessage": "No."}},
            {"type": "stageStatus", "context": {"stageName": "deploy", "stageStatus": "SUCCEEDED"}},
            {
                "type": "clusterSize",
                "context": {"cluster": "shop-prod", "comparison": ">=", "expected": 0, "regions": ["local"]},
            },
        ],
    },
    {"type": "evaluateVariables", "variables": [{"key": "a", "value": "b", "description": "c"}]},
    {
        "type": "evaluateArtifacts",
        "artifactContents": [{"name": "a", "contents": "b", "id": "c"}],
        "expectedArtifacts": [{"id": "a", "matchArtifact": {"type": "embedded/base64", "name": "a"}}],
    },
    {"type": "findArtifactFromExecution", "pipeline": "other", "executionOptions": {"successful": True}},
    {"type": "pipeline", "pipeline": "other", "application": "shop", "pipelineParameters": {"a": "b"}},
    {"type": "monitorPipeline", "executionIds": ["a"], "monitorBehavior": "FailFast"},
    {"type": "dependsOnExecution", "executionId": "a", "executionType": "PIPELINE"},
    DEPLOY,
    {"type": "createServerGroup", **_CLUSTER},
    {"type": "resizeServerGroup", "cluster": "shop-prod", "target": "current_asg_dynamic", "capacity": {"desired": 2}, **_CLUSTER},
    {"type": "shrinkCluster", "cluster": "shop-prod", "credentials": "local", "regions": ["local"], "shrinkToSize": 1},
    {"type": "disableCluster", "cluster": "shop-prod", "credentials": "local", "regions": ["local"]},
    {"type": "rollbackCluster", "cluster": "shop-prod", "credentials": "local", "regions": ["local"]},
    {"type": "findImage", "cluster": "shop-prod", "credentials": "local", "regions": ["local"], "onlyEnabled": True},
    {"type": "rollbackRelease", "cluster": "shop-prod", "application": "shop", "execution": "x"},
    {
        "type": "runJob",
        "account": "local",
        "region": "local",
        "image": "registry/shop@sha256:old",
        "command": ["true"],
        "environment": {"A": "b"},
    },
    {"type": "httpCheck", "url": "http://127.0.0.1:1/", "paths": ["/a"], "expectedStatus": [200], "attempts": 1},
    {
        "type": "webhook",
        "url": "http://127.0.0.1:1/",
        "method": "POST",
        "payload": {"a": 1},
        "customHeaders": {"A": "b", "C": ["d"]},
        "failFastStatusCodes": [500],
        "retries": {"404": {"maxAttempts": 2}},
        "waitForCompletion": True,
        "statusUrlResolution": "getMethod",
        "statusJsonPath": "$.a",
    },
    {"type": "jenkins", "master": "ci", "job": "a/b", "parameters": {"a": "b"}, "propertyFile": "p"},
    {"type": "script", "scriptPath": "a", "command": "b", "waitForCompletion": True},
    {"type": "kayentaCanary", **_CANARY},
    {"type": "build", "repository": "/nowhere", "branch": "main", "service": "."},
    {"type": "savePipeline", "pipeline": "e30=", "staleCheck": False},
    {"type": "noop"},
    {"type": "unknownToAll", "anything": [1]},
)  # fmt: skip


def pipeline(*stages: JsonObject) -> JsonObject:
    """A pipeline of these stages, side by side, that says whatever a pipeline may say."""
    listed: list[Json] = [
        {"refId": str(place), "name": str(stage["type"]), "requisiteStageRefIds": [], **stage}
        for place, stage in enumerate(stages)
    ]
    return {
        "id": "p",
        "application": "shop",
        "name": "deliver",
        "description": "Delivers.",
        "spelEvaluator": "v4",
        "limitConcurrent": True,
        "keepWaitingPipelines": False,
        "maxConcurrentExecutions": 0,
        "parameterConfig": [
            {"name": "p", "label": "P", "required": False, "default": "x", "hasOptions": True, "options": [{"value": "x"}]}
        ],
        "expectedArtifacts": [_EXPECTED],
        "notifications": [{**_NOTIFICATION, "when": ["pipeline.failed"]}],
        "triggers": [
            {"type": "git", "enabled": True, "source": "github", "project": "p", "slug": "s", "branch": "main", "paths": ["a"]},
            {"type": "docker", "enabled": True, "account": "a", "repository": "r", "tag": ".*", "expectedArtifactIds": ["image"]},
            {"type": "webhook", "enabled": False, "source": "ci", "payloadConstraints": {"a": "b"}},
            {"type": "pipeline", "enabled": True, "pipeline": "other", "application": "shop", "status": ["successful"]},
        ],
        "stages": listed,
    }  # fmt: skip


def places(document: Json, at: str = "") -> Iterator[str]:
    """Pointers to all that is below the top."""
    if isinstance(document, dict):
        below: list[tuple[str, Json]] = list(document.items())
    elif isinstance(document, list):
        below = [(str(place), one) for place, one in enumerate(document)]
    else:
        return
    for step, one in below:
        where = f"{at}/{pointers.escaped(step)}"
        yield where
        yield from places(one, where)


def changed(document: Json, pointer: str, value: Json) -> Json:
    """The document with another value at a place."""
    first, _, rest = pointer.removeprefix("/").partition("/")
    step = first.replace("~1", "/").replace("~0", "~")
    below = f"/{rest}" if rest else ""
    if not pointer:
        return value
    if isinstance(document, list):
        return [changed(one, below, value) if str(place) == step else one for place, one in enumerate(document)]
    if isinstance(document, dict):
        return {key: changed(one, below, value) if key == step else one for key, one in document.items()}
    return document  # what was there has been replaced before


_TEXTS = st.sampled_from(
    ["", " ", "x", "5", "true", "(", "a/b", "${ 5 }", "${ nothing }", "PT5S", "🙂", "\x00"]
) | st.text(max_size=5)
_NUMBERS = (
    st.sampled_from([0, -1, 5, 2**63, 10**30, 10**400, 0.5, -0.0, 1e308])
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
)
_PLAIN = st.none() | st.booleans() | _NUMBERS | _TEXTS
VALUES: st.SearchStrategy[Json] = st.recursive(
    _PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "name", "a", "a/b", "${ x }", "value", "min", "cluster", ""]), inner, max_size=3)
    ),
    max_leaves=5,
)  # fmt: skip


def disturbed(
    document: JsonObject, *, values: st.SearchStrategy[Json] = VALUES, most: int = 3
) -> st.SearchStrategy[Json]:
    """The document with random values at one or several random places."""
    known = list(places(document))

    def put(changes: list[tuple[str, Json]]) -> Json:
        result: Json = document
        for pointer, value in changes:
            result = changed(result, pointer, value)
        return result

    return st.lists(st.tuples(st.sampled_from(known), values), min_size=1, max_size=most).map(put)


def is_somewhere(document: Json, pointer: str) -> bool:
    """The pointer names something in the document, or what is missing in something."""
    return pointers.find(document, pointer)[0] or pointers.find(document, pointer.rpartition("/")[0])[0]
