"""Validation: everything that is wrong with a definition, at once, each with its pointer."""

import pytest
from tests.make import config, stage_json

from gennaker.engine import validation
from gennaker.interfaces.stages import StageSpec, StageType
from gennaker.model.codec import Json, JsonObject


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """A stage with fields of several types."""

    wait_time: int = 30
    names: tuple[str, ...] = ()
    options: dict[str, int] | None = None


TYPES = {
    "work": StageType(name="work", label="Work", about="Works.", spec=Spec, aliases=("job",)),
    "canary": StageType(name="canary", label="Canary", about="-", spec=Spec, instead="Use the stage kayentaCanary."),
}


def pointers(found: JsonObject) -> list[str]:
    return [problem.pointer for problem in validation.validate(found, TYPES).problems]


def test_a_sound_definition_has_no_problems() -> None:
    found = config(
        stage_json("1", waitTime="5"),
        stage_json("2", "1", type="job", waitTime="${ parameters.seconds }"),
        triggers=[{"type": "git", "enabled": True}],
        parameterConfig=[{"name": "seconds", "default": "3"}],
        expectedArtifacts=[{"id": "x", "matchArtifact": {"type": "docker/image"}}],
        notifications=[{"type": "email", "when": ["pipeline.failed"]}],
        limitConcurrent=True,
        maxConcurrentExecutions=0,
    )

    assert validation.validate(found, TYPES) == validation.Validated()


def test_all_problems_are_named_at_once() -> None:
    found = config(
        stage_json("1", "2", waitTime="soon", names=["a", []], options={"a/b": "x"}),
        stage_json("2", "1"),
        stage_json("2", "nowhere"),
        {"name": "nameless"},
        triggers=[{}, 1],
        limitConcurrent="yes",
    )

    assert set(pointers(found)) == {
        "/limitConcurrent",
        "/triggers/0/type",
        "/triggers/1",
        "/stages/0/requisiteStageRefIds",
        "/stages/0/waitTime",
        "/stages/0/names/1",
        "/stages/0/options/a~1b",
        "/stages/2/refId",
        "/stages/2/requisiteStageRefIds/0",
        "/stages/3/refId",
        "/stages/3/type",
    }


def test_a_circle_is_said_as_one() -> None:
    found = config(stage_json("1", "3"), stage_json("2", "1"), stage_json("3", "2"), stage_json("4", "3"))

    problems = validation.validate(found, TYPES).problems

    assert [(one.code, one.message) for one in problems] == [
        ("pipeline.cycle", "Stages require each other in a circle: 1 → 3 → 2 → 1.")
    ]


def test_a_stage_may_not_require_itself() -> None:
    assert pointers(config(stage_json("1", "1"))) == ["/stages/0/requisiteStageRefIds"]


def test_a_stage_type_that_only_spinnaker_has_is_a_warning_that_says_what_to_do() -> None:
    [warning] = validation.validate(config(stage_json("1", type="canary")), TYPES).warnings

    assert (warning.code, warning.pointer) == ("stage.not_offered", "/stages/0/type")
    assert warning.message.endswith("which Spinnaker has and Gennaker doesn't offer.")
    assert warning.remedy == "Use the stage kayentaCanary."


def test_an_unknown_stage_type_is_a_warning() -> None:
    found = validation.validate(config(stage_json("1", type="teleport")), TYPES)

    assert found.problems == ()
    assert [(one.code, one.pointer) for one in found.warnings] == [("stage.unknown_type", "/stages/0/type")]


def test_a_linear_pipeline_needs_no_ref_ids() -> None:
    assert pointers({"stages": [{"type": "work"}, {"type": "work"}]}) == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"stages": {}}, "/stages"),
        ({"stages": [1]}, "/stages/0"),
        ({"name": [1]}, "/name"),
        ({"application": 1}, "/application"),
        ({"application": "a/b"}, "/application"),
        ({"id": 1}, "/id"),
        ({"id": "a/b"}, "/id"),
        ({"maxConcurrentExecutions": -1}, "/maxConcurrentExecutions"),
        ({"maxConcurrentExecutions": True}, "/maxConcurrentExecutions"),
        ({"parameterConfig": [{}]}, "/parameterConfig/0/name"),
        ({"parameterConfig": [{"name": "a"}, {"name": "a"}]}, "/parameterConfig/1/name"),
        ({"expectedArtifacts": [{"id": [1]}]}, "/expectedArtifacts/0/id"),
        ({"expectedArtifacts": [{"id": "a"}, {"id": "a"}]}, "/expectedArtifacts/1/id"),
        ({"parameterConfig": [{"name": "a", "required": "x"}]}, "/parameterConfig/0/required"),
        ({"parameterConfig": [{"name": "a", "pinned": 5.5}]}, "/parameterConfig/0/pinned"),
        ({"parameterConfig": [{"name": "a", "hasOptions": []}]}, "/parameterConfig/0/hasOptions"),
        ({"parameterConfig": [{"name": "a", "options": [{"value": {}}]}]}, "/parameterConfig/0/options/0/value"),
        ({"parameterConfig": [{"name": "a", "options": ["b"]}]}, "/parameterConfig/0/options/0"),
        ({"parameterConfig": [{"name": "a", "label": [5]}]}, "/parameterConfig/0/label"),
        ({"parameterConfig": [{"name": " "}]}, "/parameterConfig/0/name"),
        ({"parameterConfig": {"name": "a"}}, "/parameterConfig"),
        ({"expectedArtifacts": [{"matchArtifact": 5}]}, "/expectedArtifacts/0/matchArtifact"),
        ({"expectedArtifacts": [{"defaultArtifact": {"type": {}}}]}, "/expectedArtifacts/0/defaultArtifact/type"),
        ({"expectedArtifacts": [{"usePriorArtifact": "x"}]}, "/expectedArtifacts/0/usePriorArtifact"),
        ({"description": [5]}, "/description"),
        ({"spelEvaluator": [4]}, "/spelEvaluator"),
        ({"keepWaitingPipelines": "x"}, "/keepWaitingPipelines"),
        ({"disabled": "x"}, "/disabled"),
        ({"maxConcurrentExecutions": "x"}, "/maxConcurrentExecutions"),
        ({"startTimeExpiry": {}}, "/startTimeExpiry"),
        ({"template": "x"}, "/template"),
        ({"templateVariables": []}, "/templateVariables"),
        ({"exclude": [[]]}, "/exclude/0"),
        ({"roles": "x"}, "/roles"),
        ({"notifications": [{}]}, "/notifications/0/type"),
        ({"notifications": [{"type": "email", "when": {"a": 5}}]}, "/notifications/0/when"),
        ({"triggers": [{"type": "git", "enabled": "no"}]}, "/triggers/0/enabled"),
        ({"stages": [{"refId": "1<1", "type": "work"}]}, "/stages/0/refId"),
        ({"stages": [{"refId": "1", "type": "work", "requisiteStageRefIds": "0"}]}, "/stages/0/requisiteStageRefIds"),
    ],
)
def test_each_wrong_field_has_its_pointer(fields: dict[str, Json], pointer: str) -> None:
    assert pointers(fields) == [pointer]


WINDOW: JsonObject = {"days": [2], "whitelist": [{"startHour": 9, "endHour": 17}]}


@pytest.mark.parametrize(
    ("key", "value", "below"),
    [
        ("name", [5], ""),
        ("alias", [5], ""),
        ("providerType", [5], ""),
        ("cloudProvider", {}, ""),
        ("cloudProviderType", [False], ""),
        ("requisiteStageRefIds", "0", ""),
        ("requisiteStageRefIds", [{}], "/0"),
        ("startTimeExpiry", [], ""),
        ("failPipeline", "x", ""),
        ("continuePipeline", "x", ""),
        ("completeOtherBranchesThenFail", 1.5, ""),
        ("failOnFailedExpressions", [], ""),
        ("allowSiblingStagesToContinueOnFailure", {}, ""),
        ("markSuccessfulOnTimeout", "no", ""),
        ("overrideTimeout", "yes", ""),
        ("stageTimeoutMs", "x", ""),
        ("stageTimeoutMs", True, ""),
        ("backoffPeriodMs", [5], ""),
        ("stageEnabled", True, ""),
        ("stageEnabled", {"type": [5], "expression": ["a"]}, "/type /expression"),
        ("restrictExecutionDuringTimeWindow", "x", ""),
        ("restrictedExecutionWindow", 3, ""),
        ("restrictedExecutionWindow", {**WINDOW, "days": ["Monday", 2, {}]}, "/days/0 /days/2"),
        (
            "restrictedExecutionWindow",
            {"whitelist": [{"startHour": "nine", "endMin": 0}, 5]},
            "/whitelist/0/startHour /whitelist/0/endHour /whitelist/1",
        ),
        (
            "restrictedExecutionWindow",
            {**WINDOW, "jitter": {"enabled": "x", "maxDelay": "y"}},
            "/jitter/enabled /jitter/maxDelay",
        ),
        ("skipWindowText", [5], ""),
        ("manualSkip", "x", ""),
        ("skippable", "x", ""),
        ("skipRemainingWait", "x", ""),
        ("sendNotifications", "x", ""),
        ("notifications", {"type": "email"}, ""),
        (
            "notifications",
            [5, {"address": [5], "when": [[5]], "notifyEveryMs": "x"}],
            "/0 /1/type /1/address /1/when/0 /1/notifyEveryMs",
        ),
        ("notifications", [{"type": "email", "message": {"stage.failed": "no"}}], "/0/message/stage.failed"),
        ("expectedArtifacts", "x", ""),
        (
            "expectedArtifacts",
            [{"id": {}, "useDefaultArtifact": "x", "matchArtifact": {"name": []}}],
            "/0/id /0/useDefaultArtifact /0/matchArtifact/name",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["work", "teleport"], ids=["known type", "unknown type"])
def test_a_key_of_every_stage_must_be_of_its_type(kind: str, key: str, value: Json, below: str) -> None:
    found = config(stage_json("0"), {"refId": "1", "type": kind, key: value})

    assert sorted(pointers(found)) == sorted(f"/stages/1/{key}{one}" for one in below.split(" "))


@pytest.mark.parametrize(
    "fields",
    [
        {"failPipeline": "false", "continuePipeline": None, "sendNotifications": "True", "manualSkip": 0},
        {"completeOtherBranchesThenFail": "", "stageTimeoutMs": "", "backoffPeriodMs": None, "comments": ["any", 1]},
        {"stageTimeoutMs": 5.5, "backoffPeriodMs": 1000, "startTimeExpiry": "1700000000000"},
        {"startTimeExpiry": 1700000000000, "requisiteStageRefIds": [0], "refId": 1},
        {"stageEnabled": {}},
        {"stageEnabled": {"type": "expression", "expression": True}},
        {"restrictedExecutionWindow": {"whitelist": [], "days": None, "jitter": {"maxDelay": ""}}},
        {
            "restrictedExecutionWindow": {
                "whitelist": [{"startHour": "9", "endHour": 17.0, "wrapEnd": True}],
                "days": ["2"],
            }
        },
        {"notifications": None, "expectedArtifacts": None},
        {
            "notifications": [
                {
                    "type": "slack",
                    "when": "stage.failed",
                    "message": {"stage.failed": {"text": "Oh"}, "stage.complete": None},
                }
            ]
        },
        {"expectedArtifacts": [{"id": "a", "matchArtifact": {"version": 2.0, "kind": "docker", "region": ["x"]}}]},
        {"name": "${ parameters.name }", "comments": "${ 5 }", "stageTimeoutMs": "${ parameters.limit }"},
        {"restrictedExecutionWindow": "${ parameters.window }", "notifications": "${ parameters.told }"},
        {"restrictedExecutionWindow": {"days": ["${ day }"], "whitelist": [{"${ start }": 5}]}},
        {"notifications": [{"${ key }": "email"}, "${ another }"]},
    ],
)
def test_what_spinnaker_takes_is_taken(fields: JsonObject) -> None:
    found = config(stage_json("0"), {"refId": "1", "type": "work", **fields})

    assert validation.validate(found, TYPES) == validation.Validated()


@pytest.mark.parametrize(
    ("key", "value"),
    [("failPipeline", "true"), ("continuePipeline", "True"), ("stageTimeoutMs", "60000"), ("backoffPeriodMs", "5")],
)
def test_what_spinnaker_takes_and_ignores_is_a_warning(key: str, value: str) -> None:
    found = validation.validate(config(stage_json("1", **{key: value})), TYPES)

    assert found.problems == ()
    assert [(one.code, one.pointer) for one in found.warnings] == [("stage.text_ignored", f"/stages/0/{key}")]


def test_a_key_that_the_stage_s_type_has_too_is_said_once() -> None:
    class Told(StageSpec, frozen=True, kw_only=True, rename="camel"):
        """A stage that has notifications of its own."""

        notifications: tuple[JsonObject, ...] = ()

    types = {"work": StageType(name="work", label="Work", about="Works.", spec=Told)}

    problems = validation.validate(config(stage_json("1", notifications=5, alias=[5])), types).problems

    assert [one.pointer for one in problems] == ["/stages/0/notifications", "/stages/0/alias"]


def test_a_problem_says_what_is_wanted_and_what_was_found() -> None:
    (problem,) = validation.validate(config(stage_json("1", stageTimeoutMs="soon")), TYPES).problems

    assert problem.code == "stage.field_wrong"
    assert problem.message == '`stageTimeoutMs` of stage 1 must be a number, not the text "soon".'


@pytest.mark.parametrize(
    ("trigger", "below"),
    [
        ({}, "/type"),
        ({"type": [5]}, "/type"),
        ({"type": "git", "enabled": "no"}, "/enabled"),
        ({"type": "git", "branch": "("}, "/branch"),
        ({"type": "git", "branch": "[a"}, "/branch"),
        ({"type": "git", "branch": {}, "events": "push", "paths": [[]]}, "/branch /events /paths/0"),
        ({"type": "git", "source": [5], "project": [], "slug": {}, "secret": []}, "/source /project /slug /secret"),
        ({"type": "docker", "account": [5], "repository": [], "tag": {}}, "/account /repository /tag"),
        ({"type": "jenkins", "master": [5], "job": {}, "propertyFile": []}, "/master /job /propertyFile"),
        ({"type": "webhook", "source": [5], "payloadConstraints": ["a"]}, "/source /payloadConstraints"),
        ({"type": "cron", "cronExpression": [5], "parameters": []}, "/cronExpression /parameters"),
        ({"type": "cron"}, "/cronExpression"),
        ({"type": "cron", "cronExpression": "0 60 9 ? * MONDAY"}, "/cronExpression /cronExpression"),
        ({"type": "pubsub", "pubsubSystem": [5], "attributeConstraints": "a"}, "/pubsubSystem /attributeConstraints"),
        ({"type": "pipeline", "pipeline": [5], "status": "successful"}, "/pipeline /status"),
        ({"type": "artifactory", "artifactorySearchName": [5]}, "/artifactorySearchName"),
        ({"type": "plugin", "pluginEventType": [5]}, "/pluginEventType"),
        ({"type": "helm", "account": [5], "version": []}, "/account /version"),
        (
            {"type": "pigeon", "runAsUser": [5], "expectedArtifactIds": "a", "dryRun": "x"},
            "/runAsUser /expectedArtifactIds /dryRun",
        ),
    ],
)
def test_a_trigger_s_key_must_be_of_its_type(trigger: JsonObject, below: str) -> None:
    found = config(stage_json("1"), triggers=[{"type": "git"}, trigger])

    assert sorted(pointers(found)) == sorted(f"/triggers/1{one}" for one in below.split(" "))


@pytest.mark.parametrize(
    "trigger",
    [
        {"type": "git", "enabled": "true", "branch": "release-(?<number>\\p{Digit}+)", "secret": None, "events": []},
        {"type": "git", "branch": "${ parameters.branch }(", "tag": "("},
        {"type": "docker", "tag": "", "organization": None, "expectedArtifactIds": None},
        {"type": "docker", "tag": 1.0},
        {"type": "webhook", "payloadConstraints": {"a": "(", "b": ["x"]}},
    ],
)
def test_triggers_that_spinnaker_takes_are_taken(trigger: JsonObject) -> None:
    assert validation.validate(config(stage_json("1"), triggers=[trigger]), TYPES) == validation.Validated()


@pytest.mark.parametrize(
    ("kind", "code", "remedy"),
    [
        ("pigeon", "trigger.unknown_type", "Use one of artifactory, "),
        ("Jenkin", "trigger.unknown_type", "Did you mean 'jenkins'? "),
        ("helm", "trigger.not_served", "by a webhook"),
    ],
)
def test_a_trigger_that_never_fires_is_a_warning(kind: str, code: str, remedy: str) -> None:
    found = validation.validate(config(stage_json("1"), triggers=[{"type": kind, "loft": 5}]), TYPES)

    assert found.problems == ()
    assert [(one.code, one.pointer) for one in found.warnings] == [(code, "/triggers/0/type")]
    assert remedy in found.warnings[0].remedy


@pytest.mark.parametrize("trigger", [{"type": "docker", "tag": "("}, {"type": "git", "branch": "x" * 2000}])
def test_a_pattern_that_matches_nothing_is_a_warning(trigger: JsonObject) -> None:
    found = validation.validate(config(stage_json("1"), triggers=[trigger]), TYPES)

    assert found.problems == ()
    assert [one.code for one in found.warnings] == ["trigger.pattern"]


@pytest.mark.slow
def test_a_thousand_stages_in_a_chain_are_no_problem() -> None:
    chain = [stage_json(str(one), *([str(one - 1)] if one else [])) for one in range(5000)]

    assert pointers(config(*chain)) == []
