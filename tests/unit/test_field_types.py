"""Field types: in every stage type each field, however deep, refuses what isn't of its type, at its own place."""

import json
import re
from collections.abc import Iterator

import pytest
from msgspec import inspect
from tests.make import config, stage_json

from gennaker import app
from gennaker.engine import validation
from gennaker.interfaces.stages import StageType
from gennaker.model import pointers
from gennaker.model.codec import Json, JsonObject

STAGES = {one.name: one for plugin in app.installed_plugins() for one in plugin.stages}
DEEPEST = 6
CANDIDATES: tuple[Json, ...] = (5.5, "x", True, [], {})


def pointers_of(*stages: JsonObject) -> list[str]:
    return [one.pointer for one in validation.validate(config(*stages), STAGES).problems]


def plain(kind: inspect.Type) -> inspect.Type:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def members(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    found = plain(kind)
    if not isinstance(found, inspect.UnionType):
        return (found,)
    return tuple(member for one in found.types for member in members(one))


def fits(kind: inspect.Type, value: Json) -> bool:
    """Said anew, by what the value is."""
    match kind:
        case inspect.AnyType():
            return True
        case inspect.StrType(pattern=pattern):
            text = value if isinstance(value, str) else json.dumps(value)
            return isinstance(value, str | float | bool) and (pattern is None or bool(re.search(pattern, text)))
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, float)
        case inspect.StructType() | inspect.DictType():
            return isinstance(value, dict)
        case inspect.VarTupleType() | inspect.ListType():
            return isinstance(value, list)
        case _:
            return False


def wrong_places(kind: inspect.Type, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    """Steps to each place below a type, with every candidate that doesn't belong there."""
    if len(at) > DEEPEST:
        return
    for candidate in CANDIDATES if at else ():
        if not any(fits(member, candidate) for member in members(kind)):
            yield at, candidate
    for member in members(kind):
        match member:
            case inspect.StructType():
                for field in member.fields:
                    yield from wrong_places(field.type, (*at, field.encode_name))
            case inspect.VarTupleType() | inspect.ListType():
                yield from wrong_places(member.item_type, (*at, 0))
            case inspect.DictType() if not isinstance(member.value_type, inspect.AnyType):
                yield from wrong_places(member.value_type, (*at, "k"))


def document(steps: tuple[str | int, ...], value: Json) -> Json:
    """The smallest document in which these steps lead to the value."""
    for step in reversed(steps):
        value = [value] if isinstance(step, int) else {step: value}
    return value


@pytest.mark.parametrize("name", sorted(STAGES))
def test_each_field_of_a_stage_type_refuses_what_is_not_of_its_type(name: str) -> None:
    found = list(wrong_places(inspect.type_info(STAGES[name].spec)))

    for steps, value in found:
        stage = document(steps, value)
        assert isinstance(stage, dict)
        where = f"/stages/0{pointers.of(steps)}"
        assert where in pointers_of({"refId": "1", "type": name, **stage}), (where, value)


def test_no_field_takes_everything_but_those_that_may() -> None:
    free = {
        (name, field.encode_name)
        for name, one in STAGES.items()
        for field in fields_of(one)
        if any(isinstance(member, inspect.AnyType) for member in members(field.type))
    }

    assert free == {("webhook", "payload"), ("webhook", "cancelPayload")}


def fields_of(one: StageType) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(one.spec)
    assert isinstance(info, inspect.StructType)
    return info.fields


METRIC: JsonObject = {
    "name": "errors",
    "groups": ["quality"],
    "scopeName": "default",
    "query": {"type": "embedded", "numerator": [], "denominator": "${ x }"},
}
CONFIG: JsonObject = {"classifier": {"groupWeights": "${ weights }"}}
CLUSTER: JsonObject = {"account": "local", "region": "local", "stack": "prod"}


@pytest.mark.parametrize(
    ("stage", "below"),
    [
        ({"type": "deploy", "clusters": "all"}, "/clusters"),
        (
            {"type": "deploy", "clusters": [{**CLUSTER, "account": [5], "capacity": {"min": "x"}}, 5, CLUSTER]},
            "/clusters/0/account /clusters/0/capacity/min /clusters/1",
        ),
        ({"type": "deploy", "account": [5], "capacity": {"desired": 1.5}}, "/account /capacity/desired"),
        ({"type": "deploy", "clusters": [{**CLUSTER, "loadBalancers": ["a", []]}]}, "/clusters/0/loadBalancers/1"),
        ({"type": "deploy", "clusters": [{"cluster": {"account": [5]}}]}, "/clusters/0/cluster/account"),
        (
            {"type": "deploy", "clusters": [{"environment": {"A": []}, "rollback": {"onFailure": "x"}}]},
            "/clusters/0/environment/A /clusters/0/rollback/onFailure",
        ),
        ({"type": "deploy", "clusters": [{"gracePeriod": "a week"}]}, "/clusters/0/gracePeriod"),
        ({"type": "createServerGroup", "targetPercentages": [50, "x"]}, "/targetPercentages/1"),
        ({"type": "resizeServerGroup", "capacity": {"max": []}, "scalePct": "x"}, "/capacity/max /scalePct"),
        ({"type": "shrinkCluster", "shrinkToSize": -1, "allowDeleteActive": "x"}, "/shrinkToSize /allowDeleteActive"),
        ({"type": "runJob", "command": {}, "reports": {"junit": []}}, "/command /reports/junit"),
        ({"type": "httpCheck", "paths": "/", "expectedStatus": "ok", "headers": {"A": {}}}, "/paths /expectedStatus /headers/A"),
        ({"type": "webhook", "retries": {"404": {"maxAttempts": "x"}}}, "/retries/404/maxAttempts"),
        ({"type": "webhook", "customHeaders": {"A": [{}]}, "failFastStatusCodes": "x"}, "/customHeaders/A/0 /failFastStatusCodes"),
        (
            {"type": "checkPreconditions", "preconditions": [{"type": [5], "context": {"expected": "x"}}]},
            "/preconditions/0/type /preconditions/0/context/expected",
        ),
        ({"type": "manualJudgment", "judgmentInputs": ["go", {"value": {}}]}, "/judgmentInputs/0 /judgmentInputs/1/value"),
        ({"type": "evaluateVariables", "variables": [{"key": []}, 5]}, "/variables/0/key /variables/1"),
        ({"type": "evaluateArtifacts", "artifactContents": [{"name": {}}]}, "/artifactContents/0/name"),
        ({"type": "findArtifactFromExecution", "expectedArtifact": {"id": [5]}}, "/expectedArtifact/id"),
        ({"type": "jenkins", "job": [5], "expectedArtifacts": [5]}, "/job /expectedArtifacts/0"),
        ({"type": "savePipeline", "pipeline": [5]}, "/pipeline"),
        (
            {"type": "kayentaCanary", "canaryConfig": {"scopes": [{"step": "x"}], "scoreThresholds": {"pass": "x"}}},
            "/canaryConfig/scopes/0/step /canaryConfig/scoreThresholds/pass",
        ),
        (
            {"type": "kayentaCanary", "deployments": {"serverGroupPairs": [{"control": {"account": [5]}, "experiment": 5}]}},
            "/deployments/serverGroupPairs/0/control/account /deployments/serverGroupPairs/0/experiment",
        ),
        (
            {"type": "kayentaCanary", "canaryConfig": {"canaryConfig": {**CONFIG, "metrics": [METRIC, 5], "name": {}}}},
            " ".join(f"/canaryConfig/canaryConfig/{one}" for one in ("metrics/0/query/numerator", "metrics/1", "name")),
        ),
    ],
)  # fmt: skip
def test_all_that_is_wrong_in_a_stage_is_said_at_once(stage: JsonObject, below: str) -> None:
    found = pointers_of({"refId": "1", **stage})

    assert sorted(found) == sorted(f"/stages/0{one}" for one in below.split(" "))


@pytest.mark.parametrize(
    "stage",
    [
        {"type": "wait", "waitTime": "5"},
        {"type": "wait", "waitTime": None, "skipRemainingWait": "false"},
        {"type": "deploy", "clusters": None, "cluster": "shop-prod"},
        {
            "type": "deploy",
            "clusters": [
                {
                    **CLUSTER,
                    "capacity": {"min": "1", "max": 2.0, "desired": None},
                    "availabilityZones": {"us-east-1": ["us-east-1a"]},
                    "environment": {"PORT": 8080, "DEBUG": True, "EMPTY": None},
                    "useSourceCapacity": "true",
                    "version": 1.5,
                    "securityGroups": ["sg-1"],
                    "suspendedProcesses": [],
                    "loadBalancers": None,
                }
            ],
        },
        {"type": "deploy", "clusters": ["${ cluster }", {"account": "${ account }", "capacity": "${ capacity }"}]},
        {"type": "deploy", "clusters": [{"upTimeout": "90", "drainTimeout": "pt1m", "gracePeriod": 3600}]},
        {"type": "shrinkCluster", "shrinkToSize": "", "regions": "here"},
        {"type": "webhook", "payload": [5], "customHeaders": {"X-Number": 5, "X-Several": ["a", 1]}},
        {"type": "checkPreconditions", "preconditions": [{"context": {"expression": True, "regions": ["a"], "else": 5}}]},
        {"type": "manualJudgment", "judgmentInputs": [{"value": 5}, {"value": None}], "notifications": None},
        {"type": "pipeline", "pipeline": None, "waitForCompletion": "false", "pipelineParameters": {"a": [5]}},
        {"type": "jenkins", "parameters": {"a": 5, "b": True}, "waitForCompletion": "true"},
        {"type": "evaluateVariables", "variables": [{"key": "a", "value": {"b": [1]}, "sourceValue": "x"}]},
    ],
)  # fmt: skip
def test_what_spinnaker_takes_is_taken(stage: JsonObject) -> None:
    assert pointers_of({"refId": "1", **stage}) == []


def test_a_field_that_is_needed_may_come_from_another_stage() -> None:
    assert pointers_of(stage_json("1", type="pipeline"), stage_json("2", type="build")) == []
