"""Submission: from what was asked for to a definition that can run and a trigger that is complete.

Orca's order: the trigger is normalised, a template expanded, parameters are filled in, artifacts resolved, refIds given to a linear
pipeline, expressions of the trigger and the definition evaluated as far as they can be, the whole validated. What is wrong ends the
execution before it begins, with all problems at once.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from gennaker.engine import build_info, evaluating, expanding, lookup, parents, validation
from gennaker.engine.contexts import has_expressions
from gennaker.expressions import template
from gennaker.expressions.root import plain
from gennaker.interfaces.executions import Found, Submission
from gennaker.interfaces.services import Services
from gennaker.interfaces.stages import StageType
from gennaker.model import ancestry, application_notifications, artifact_matching, foreign, trigger_secrets
from gennaker.model.artifact import Artifact, ExpectedArtifact
from gennaker.model.codec import Json, JsonObject, distinct, milliseconds, to_json
from gennaker.model.event import SubmissionPrepared
from gennaker.model.execution import Authentication, Execution, ExecutionKind, Head
from gennaker.model.principal import SYSTEM, Principal
from gennaker.model.problems import Problem
from gennaker.settings import Settings

_ANONYMOUS = "[anonymous]"
_EVALUATED_OF_TRIGGER = ("parameters", "artifacts", "expectedArtifacts", "resolvedExpectedArtifacts")
"""Not what else an event has brought along, its payload first of all: that is somebody else's text."""
_LATE_STAGES = "v4"
"""With this evaluator stages are evaluated when they start, not at submission too."""


async def prepare(
    execution: Execution,
    *,
    key: str,
    stage_types: Mapping[str, StageType],
    services: Services,
    at: datetime,
) -> SubmissionPrepared:
    """Completes the submission of an execution that has just been accepted."""
    return await _prepared(execution, key, stage_types=stage_types, services=services, at=at)


async def plan(
    wanted: Submission,
    principal: Principal,
    *,
    stage_types: Mapping[str, StageType],
    services: Services,
    at: datetime,
    resolves_artifacts: bool = True,
) -> SubmissionPrepared:
    """What would be run, without running it. `resolves_artifacts`: expected artifacts are bound too."""
    head = Head(
        id="",
        kind=wanted.kind,
        application=foreign.text(wanted.config.get("application")),
        build_time=at,
        trigger=trigger_secrets.masked_trigger(wanted.trigger),
        authentication=Authentication(user=principal.name),
        pipeline_config_id=foreign.text(wanted.config.get("id")) or None,
        initial_config=wanted.config,
    )
    return await _prepared(
        Execution(head=head),
        "",
        stage_types=stage_types,
        services=services,
        at=at,
        resolves_artifacts=resolves_artifacts,
    )


async def _prepared(
    execution: Execution,
    key: str,
    *,
    stage_types: Mapping[str, StageType],
    services: Services,
    at: datetime,
    resolves_artifacts: bool = True,
) -> SubmissionPrepared:
    head = execution.head
    trigger = normalised(head.trigger, user=head.authentication.user)
    expansion = await expanding.expanded(head.initial_config, trigger, services.definitions, at=at)
    config = with_ref_ids(expansion.config)
    problems = [*expansion.problems]
    trigger, unread = await build_info.completed(trigger, services)
    trigger = await _with_parent(with_parameters(trigger, config), services)
    if resolves_artifacts:
        expecting = await _with_expected(config, trigger, services, at=at)
        trigger, unbound = await _with_artifacts(execution, trigger, expecting, services)
        problems += unbound
    problems += [*unread, *_refusals(config)]
    if head.kind is not ExecutionKind.PIPELINE:
        problems += _blocked(config, services.settings, user=head.authentication.user)
    raw, trigger = trigger, await _evaluated_trigger(trigger, config, services, at=at)
    seen = trigger if trigger.get("type") == "pipeline" else raw
    looked_at = await parents.shown(seen, config, services.executions)
    config, problem = evaluated(trigger_secrets.masked(config), looked_at, at=at)
    problems += [problem] if problem else []
    problems += validation.validate(config, stage_types).problems
    config = {**config, "notifications": await _notifications(head, config, trigger, services, at=at)}
    return SubmissionPrepared(at=at, key=key, config=config, trigger=trigger, problems=tuple(problems))


def normalised(trigger: JsonObject, *, user: str) -> JsonObject:
    """The trigger with the fields that every trigger has."""
    return {
        **trigger,
        "type": trigger.get("type") or "manual",
        "user": trigger.get("user") or user or _ANONYMOUS,
    }


def with_parameters(trigger: JsonObject, config: JsonObject) -> JsonObject:
    """The trigger with all declared parameters: the given value, even an empty one, else the default."""
    given = trigger.get("parameters")
    parameters: JsonObject = dict(given) if isinstance(given, dict) else {}
    for declared in foreign.mappings(config.get("parameterConfig")):
        name = declared.get("name")
        if isinstance(name, str) and name not in parameters:
            parameters[name] = declared.get("default")
    return {**trigger, "parameters": parameters}


def with_ref_ids(config: JsonObject) -> JsonObject:
    """The definition with refIds 0, 1, … each requiring the one before, if no stage has any."""
    stages = config.get("stages")
    if not isinstance(stages, list) or any(isinstance(one, dict) and one.get("refId") is not None for one in stages):
        return config
    linear: list[Json] = []
    for place, one in enumerate(stages):
        before: list[Json] = [str(place - 1)] if place else []
        numbered: JsonObject = {"refId": str(place), "requisiteStageRefIds": before}
        linear.append({**one, **numbered} if isinstance(one, dict) else one)
    return {**config, "stages": linear}


def evaluated(config: JsonObject, trigger: JsonObject, *, at: datetime) -> tuple[JsonObject, Problem | None]:
    """The definition after the pass over its expressions; what can't be evaluated yet stays as it is.

    The problem: an expression beside the stages that Spinnaker evaluates and Gennaker doesn't. Those of stages are theirs.
    """
    own: JsonObject = {key: value for key, value in config.items() if key != "templateVariables"}
    kept: JsonObject = {}
    if config.get("spelEvaluator") == _LATE_STAGES and "stages" in own:
        kept["stages"] = own.pop("stages")
    if not has_expressions(own):
        return config, None
    seen: JsonObject = {"trigger": trigger, "templateVariables": config.get("templateVariables") or {}}
    done = template.evaluate(own, plain(seen), allow_unknown_keys=False, at_ms=milliseconds(at) or 0)
    problem = evaluating.unsupported(one for one in done.failures if not one.pointer.startswith("/stages/"))
    value = {**config, **(done.value if isinstance(done.value, dict) else {}), **kept}
    if "stages" in value:
        value["stages"] = _with_what_stays(value["stages"], config["stages"])
    return value, problem


async def _evaluated_trigger(
    trigger: JsonObject, config: JsonObject, services: Services, *, at: datetime
) -> JsonObject:
    """The trigger after the pass over its parameters and artifacts, which see it as it came."""
    own: JsonObject = {key: trigger[key] for key in _EVALUATED_OF_TRIGGER if key in trigger}
    return {**trigger, **await _seen_with(trigger, own, config, services, at=at)}


async def _with_expected(config: JsonObject, trigger: JsonObject, services: Services, *, at: datetime) -> JsonObject:
    """The definition with expected artifacts that are known before they are compared: Echo evaluates them with the trigger."""
    own: JsonObject = {"expectedArtifacts": config["expectedArtifacts"]} if "expectedArtifacts" in config else {}
    return {**config, **await _seen_with(trigger, own, config, services, at=at)}


async def _seen_with(
    trigger: JsonObject, own: JsonObject, config: JsonObject, services: Services, *, at: datetime
) -> JsonObject:
    """Some keys, evaluated with the trigger alone.

    What fails stays text, without a problem: parameters may come from outside. What the definition says of them, a default,
    is evaluated with it too, and what Gennaker doesn't evaluate is found there.
    """
    if not has_expressions(own):
        return own
    looked_at = await parents.shown(trigger, own, services.executions)
    seen: JsonObject = {"trigger": looked_at, "templateVariables": config.get("templateVariables") or {}}
    done = template.evaluate(own, plain(seen), allow_unknown_keys=False, at_ms=milliseconds(at) or 0)
    return done.value if isinstance(done.value, dict) else own


def _with_what_stays(evaluated_stages: Json, given: Json) -> Json:
    """Stages after evaluation, with what they want to keep as it was written."""
    if not isinstance(evaluated_stages, list) or not isinstance(given, list):
        return evaluated_stages
    return [
        {**done, **evaluating.as_written(raw)} if isinstance(done, dict) and isinstance(raw, dict) else done
        for done, raw in zip(evaluated_stages, given, strict=True)
    ]


def merged_notifications(own: list[JsonObject], application: list[JsonObject]) -> list[JsonObject]:
    """A pipeline's notifications and after them those of its application.

    One of the application's that has the type and address of the pipeline's counts for the moments that the latter lacks.
    """
    added: list[JsonObject] = []
    for one in application:
        same = next((mine for mine in own if _address(mine) == _address(one)), None)
        if same is None:
            added.append(one)
            continue
        lacking = [when for when in _moments(one) if when not in _moments(same)]
        if lacking:
            added.append({**one, "when": lacking})
    return [*own, *added]


async def _notifications(
    head: Head, config: JsonObject, trigger: JsonObject, services: Services, *, at: datetime
) -> list[Json]:
    """Those of a pipeline whose expressions were evaluated, of its trigger, and of its application; all evaluated."""
    of_trigger = foreign.mappings(trigger.get("notifications"))
    is_pipeline = head.kind is ExecutionKind.PIPELINE
    of_application = await _application_notifications(head.application, services) if is_pipeline else []
    listed: list[Json] = [*of_trigger, *of_application]
    asked: JsonObject = {"notifications": listed, "templateVariables": config.get("templateVariables")}
    others = foreign.mappings(evaluated(asked, trigger, at=at)[0]["notifications"])
    own = foreign.mappings(config.get("notifications")) if is_pipeline else []
    return list(merged_notifications([*own, *others[: len(of_trigger)]], others[len(of_trigger) :]))


def _address(notification: JsonObject) -> tuple[Json, Json]:
    return notification.get("type"), notification.get("address") or notification.get("publisherName")


def _moments(notification: JsonObject) -> list[Json]:
    when = notification.get("when")
    return when if isinstance(when, list) else [when] if when else []


async def _application_notifications(application: str, services: Services) -> list[JsonObject]:
    if not application:
        return []
    found = await services.definitions.get(application_notifications.KIND, application.lower())
    listed = application_notifications.listed(found.body) if found else []
    return [one for one in listed if any(str(when).startswith("pipeline") for when in _moments(one))]


async def _with_parent(trigger: JsonObject, services: Services) -> JsonObject:
    """A trigger that names a parent run takes over its artifacts and says what it was."""
    parent_id = trigger.get("parentPipelineId")
    if not isinstance(parent_id, str) or not parent_id or trigger.get("parentExecution"):
        return trigger
    parent = await services.executions.get(parent_id)
    if parent is None:
        return trigger
    shown: JsonObject = {**ancestry.outline(parent.head), "status": parent.head.status.value}
    received: list[Json] = list(lookup.artifacts_of_run(parent))
    return {
        **trigger,
        "isPipeline": True,
        "parentStatus": parent.head.status.value,
        "parentPipelineName": parent.head.name,
        "parentExecution": shown,
        "receivedArtifacts": received,
    }


async def _with_artifacts(
    execution: Execution, trigger: JsonObject, config: JsonObject, services: Services
) -> tuple[JsonObject, list[Problem]]:
    """The trigger with received and resolved artifacts, and what could not be resolved."""
    problems: list[Problem] = []
    expected = _expected(config, trigger, problems)
    received: list[Artifact] = []
    for one in [
        *foreign.mappings(config.get("receivedArtifacts")),
        *foreign.mappings(trigger.get("receivedArtifacts")),
    ]:
        _collect(one, received, problems)
    for one in foreign.mappings(trigger.get("artifacts")):
        _collect(one, received, problems)
    received = distinct(received)
    prior: list[Artifact] = []
    if any(one.use_prior_artifact for one in expected):
        prior = await _prior(execution, services)
    resolution = artifact_matching.resolve(expected, received, prior=prior)
    bound = [*received, *(one for one in resolution.artifacts if one not in received)]
    artifacts: list[Json] = [to_json(one) for one in bound]
    complete: JsonObject = {**trigger, "artifacts": artifacts}
    if expected or "expectedArtifacts" in config:
        expectations: list[Json] = [to_json(one) for one in resolution.expected]
        complete |= {"expectedArtifacts": expectations, "resolvedExpectedArtifacts": expectations}
    return complete, [*problems, *resolution.problems]


def _expected(config: JsonObject, trigger: JsonObject, problems: list[Problem]) -> list[ExpectedArtifact]:
    """The expectations that count for this run: named by the trigger, or with a prior or default artifact."""
    named = trigger.get("expectedArtifactIds")
    ids = named if isinstance(named, list) else []
    found: list[ExpectedArtifact] = []
    for place, one in enumerate(foreign.mappings(config.get("expectedArtifacts"))):
        try:
            expected = artifact_matching.read_expected(one)
        except msgspec.ValidationError as error:
            problems.append(_unreadable("Expected artifact", error, f"/expectedArtifacts/{place}"))
            continue
        if expected.id in ids or expected.use_default_artifact or expected.use_prior_artifact:
            found.append(expected)
    return found


def _collect(raw: JsonObject, into: list[Artifact], problems: list[Problem]) -> None:
    try:
        artifact = artifact_matching.read(raw)
    except msgspec.ValidationError as error:
        problems.append(_unreadable("Artifact of the trigger", error, ""))
        return
    into.append(artifact)


def _unreadable(what: str, error: msgspec.ValidationError, pointer: str) -> Problem:
    return Problem(code="artifact.unreadable", message=f"{what} can't be read: {error}.", pointer=pointer)


async def _prior(execution: Execution, services: Services) -> list[Artifact]:
    """The artifacts of the newest earlier run of the same pipeline."""
    config_id = execution.head.pipeline_config_id
    if not config_id:
        return []
    newest = await services.executions.find(Found(config_ids=(config_id,), limit=2))
    earlier = [one for one in newest if one.head.id != execution.head.id]
    found: list[Artifact] = []
    for raw in lookup.artifacts_of_run(earlier[0]) if earlier else []:
        _collect(raw, found, [])
    return distinct(found)


def _blocked(config: JsonObject, settings: Settings, *, user: str) -> list[Problem]:
    """Jobs that the settings keep this user from running; Gennaker's own are never kept."""
    if user == SYSTEM.name:
        return []
    problems: list[Problem] = []
    for place, stage in enumerate(foreign.mappings(config.get("stages"))):
        kind = foreign.text(stage.get("type"))
        rule = settings.jobs.get(kind) or settings.jobs.get("*")
        if rule is not None and user not in rule.users:
            message = f"{user or 'nobody'} may not run {kind} as a job."
            remedy = "Run it by a pipeline, or ask the operator for the setting jobs."
            pointer = f"/job/{place}/type"
            problems.append(Problem(code="orchestration.blocked", message=message, remedy=remedy, pointer=pointer))
    return problems


def _refusals(config: JsonObject) -> list[Problem]:
    problems: list[Problem] = []
    said = config.get("errorMessage")
    if said:
        problems.append(Problem(code="trigger.failed", message=str(said)))
    if foreign.flag(config.get("disabled")):
        problems.append(
            Problem(
                code="pipeline.disabled",
                message=f"The pipeline {config.get('name') or config.get('id')} is disabled.",
                remedy="Enable it to run it.",
                pointer="/disabled",
            )
        )
    errors = config.get("errors")
    if errors:
        problems.append(
            Problem(code="pipeline.template_errors", message=f"The pipeline's template has errors: {errors}.")
        )
    return problems
