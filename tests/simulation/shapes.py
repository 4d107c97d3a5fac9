"""Shapes: random pipelines with all that a pipeline can say, for the simulation's world (`tests.simulation.world`)."""

from random import Random  # noqa: TID251 - seeded dice

from gennaker.model.codec import Json, JsonObject, encode
from gennaker.model.event import PlannedStage

TYPES = (
    *("work", "after", "rescue", "both", "skippable", "asking") * 2,
    *("wait", "manualJudgment", "pipeline", "evaluateVariables", "checkPreconditions", "noop"),
)
FLAGS: tuple[JsonObject, ...] = (
    {},
    {},
    {},
    {"continuePipeline": True},
    {"failPipeline": False},
    {"failPipeline": False, "completeOtherBranchesThenFail": True},
    {"failPipeline": "true"},
    {"skippable": True},
    {"stageTimeoutMs": 50_000},
    {"stageTimeoutMs": "${ 40000 + 5000 }"},
    {"markSuccessfulOnTimeout": True, "stageTimeoutMs": 5_000},
    {"failOnFailedExpressions": True, "title": "${ nowhere }"},
    {"title": "${ execution.name }"},
    {"title": "${ #stage('nobody').context.x }"},
    {"title": "${ #pipelineId('pipeline 0') }"},
    {"backoffPeriodMs": 7_000},
    {"allowSiblingStagesToContinueOnFailure": True, "continuePipeline": True},
    {"stageEnabled": {"type": "expression", "expression": "false"}},
    {"stageEnabled": {"type": "expression", "expression": "${ execution.name != null }"}},
    {"restrictExecutionDuringTimeWindow": True, "restrictedExecutionWindow": {"whitelist": []}},
    {
        "restrictExecutionDuringTimeWindow": True,
        "restrictedExecutionWindow": {
            "days": [2, 3, 5],
            "whitelist": [{"startHour": 3, "startMin": 0, "endHour": 4, "endMin": 0}],
            "jitter": {"enabled": True, "minDelay": 5, "maxDelay": 300},
        },
    },
)
TASKS = ("make", "make", "call", "limited", "stubborn", "stoppable")
_DEEPEST = 2
"""Synthetic stages below synthetic stages."""
_NOTIFICATION: JsonObject = {
    "type": "test",
    "address": "team",
    "when": ["pipeline.starting", "pipeline.complete", "pipeline.failed", "stage.starting", "stage.complete"],
}


def pipeline(dice: Random, number: int) -> JsonObject:
    """A random acyclic graph of one to seven stages; it may start pipelines of lower numbers only."""
    stages: list[Json] = []
    for place in range(dice.randint(1, 7)):
        above: list[Json] = [str(one) for one in range(place) if dice.random() < 0.35]
        if dice.random() < 0.01:
            above.append("nowhere")
        stages.append({"refId": str(place), "requisiteStageRefIds": above, **stage(dice, f"s{place}", number)})
    config: JsonObject = {
        "id": f"pipeline-{number}",
        "application": "shop",
        "name": f"pipeline {number}",
        "stages": stages,
        "limitConcurrent": dice.random() < 0.4,
        "maxConcurrentExecutions": dice.choice((0, 0, 1, 2)),
        "keepWaitingPipelines": dice.random() < 0.5,
        "notifications": [_NOTIFICATION] if dice.random() < 0.4 else [],
    }
    if dice.random() < 0.5:
        config["spelEvaluator"] = dice.choice(("v3", "v4"))
    if (
        number and dice.random() < 0.4 and '"pipeline":' not in encode(config).decode()
    ):  # else they would go on for ever
        followed = f"pipeline-{dice.randrange(number)}"
        config["triggers"] = [
            {"enabled": True, "type": "pipeline", "pipeline": followed, "status": ["successful", "failed", "canceled"]}
        ]
    return config


def stage(dice: Random, name: str, number: int) -> JsonObject:
    """A random stage; what it plans is drawn when it does (`tasks`, `children`)."""
    kind = dice.choice(TYPES)
    own: JsonObject = {"type": kind, "name": name, **dice.choice(FLAGS)}
    if dice.random() < 0.2:
        own |= {"sendNotifications": True, "notifications": [_NOTIFICATION]}
    match kind:
        case "wait":
            own["waitTime"] = dice.choice((0, 1, 40, 3_000, "${ 2 * 3 }"))
        case "manualJudgment":
            own |= {"notifications": [{**_NOTIFICATION, "when": ["manualJudgment"], "notifyEveryMs": 600_000}]}
            own["propagateAuthenticationContext"] = dice.random() < 0.5
        case "pipeline" if number:
            own["pipeline"] = f"pipeline-{dice.randrange(number)}"
            own["waitForCompletion"] = dice.random() < 0.8
        case "pipeline":
            own["type"] = "work"
        case "evaluateVariables":
            own["variables"] = [{"key": "size", "value": "${ 1 + 2 }"}, {"key": "twice", "value": "${ size * 2 }"}]
        case "checkPreconditions":
            own["preconditions"] = [
                {
                    "type": "expression",
                    "failPipeline": True,
                    "context": {"expression": dice.choice(("true", "false", "${ 1 > 0 }"))},
                }
            ]
    return own


def tasks(dice: Random) -> list[JsonObject]:
    """None to three tasks, sometimes in a loop."""
    count = dice.randint(0, 3)
    loops = count > 1 and dice.random() < 0.2
    return [
        {
            "name": f"task{place}",
            "kind": dice.choice(TASKS),
            "loopStart": loops and place == 0,
            "loopEnd": loops and place == 1,
        }
        for place in range(count)
    ]


def children(dice: Random, *, depth: int) -> tuple[PlannedStage, ...]:
    """Synthetic stages below a stage that lies so deep, each requiring some of those before it; often none."""
    if depth >= _DEEPEST or dice.random() > 0.5 / (depth + 1):
        return ()
    found: list[PlannedStage] = []
    for place in range(dice.randint(1, 2)):
        requisites = tuple(one for one in range(place) if dice.random() < 0.5)
        own = stage(dice, f"c{dice.randint(0, 9)}", 0)
        kind, name = str(own.pop("type")), str(own.pop("name"))
        found.append(PlannedStage(type=kind, name=name, context=own, requisites=requisites))
    return tuple(found)
