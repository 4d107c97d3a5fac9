"""Access rules: what each route needs. One table; what isn't in it is the administrators' only.

A rule reads off a request which rights on which applications it asks for. Rows say who may come at all; lists of many
applications' things leave out what can't be read, and submissions ask the authoriser themselves, whoever makes them.
"""

import re

import msgspec

from gennaker.engine import rules
from gennaker.interfaces import artifacts
from gennaker.interfaces.services import Services
from gennaker.model import foreign, needs
from gennaker.model.codec import JsonObject
from gennaker.model.execution import ExecutionKind
from gennaker.model.permissions import ADMINISTRATION, Need, Right
from gennaker.web import absent, access_asking, access_builds, access_definitions
from gennaker.web.access_asking import Asked, Rule

_ANSWERS = frozenset(
    {"judgmentStatus", "judgmentInput", "judgmentComment", "skipRemainingWait", "manualSkip", "reason", "comment"}
)
"""Keys by which clients answer a stage that waits, or skip it."""
_FREEZE = "waitForCondition"


async def open_to_all(request: Asked, services: Services) -> tuple[Need, ...]:
    """Answers whoever asks, signed in or not."""
    return ()


async def signed_in(request: Asked, services: Services) -> tuple[Need, ...]:
    """Answers everybody who has signed in; what it lists or starts is looked at by itself."""
    return ()


async def administrators(request: Asked, services: Services) -> tuple[Need, ...]:
    """Answers administrators."""
    return (ADMINISTRATION,)


def _application(right: Right) -> Rule:
    """The application of the path; `*` means all, and the list is filtered."""

    async def rule(request: Asked, services: Services) -> tuple[Need, ...]:
        name = str(request.path_params["application"])
        return () if name == "*" else (Need(right=right, application=name),)

    return rule


def _execution(right: Right, key: str = "execution_id") -> Rule:
    """The application of the execution that path or query names; of one that isn't there the handler says so."""

    async def rule(request: Asked, services: Services) -> tuple[Need, ...]:
        given = request.path_params.get(key)
        named = [str(given)] if given else request.query_params.getall("executionId", [])
        found = [await services.executions.get(one) for one in named]
        return tuple(Need(right=right, application=one.head.application) for one in found if one is not None)

    return rule


async def _patching(request: Asked, services: Services) -> tuple[Need, ...]:
    """Answering and skipping take EXECUTE; what else is put into a stage changes what it does, as saving its pipeline would."""
    found = await _STEERS(request, services)
    if (await access_asking.body(request)).keys() <= _ANSWERS:
        return found
    return (*found, *(msgspec.structs.replace(need, right=Right.WRITE) for need in found))


async def _skipping(request: Asked, services: Services) -> tuple[Need, ...]:
    """Skipping takes EXECUTE, and WRITE where an operator's freeze is passed over."""
    found = await _STEERS(request, services)
    execution = await services.executions.get(str(request.path_params["execution_id"]))
    wanted = str(request.path_params["stage_id"])
    stages = execution.in_order() if execution else ()
    if any(wanted in (one.id, one.ref_id, one.name) and rules.type_name(one) == _FREEZE for one in stages):
        return (*found, *(msgspec.structs.replace(need, right=Right.WRITE) for need in found))
    return found


def _account(right: Right) -> Rule:
    async def rule(request: Asked, services: Services) -> tuple[Need, ...]:
        return (Need(right=right, account=str(request.path_params.get("account") or request.path_params["name"])),)

    return rule


async def _fetching(request: Asked, services: Services) -> tuple[Need, ...]:
    """The account by which the artifact of the body is read, as listing what it has."""
    name = artifacts.account_of(await access_asking.body(request))
    return (Need(right=Right.READ, account=name),) if name else ()


async def _application_and_account(request: Asked, services: Services) -> tuple[Need, ...]:
    return (*await _application(Right.READ)(request, services), *await _account(Right.READ)(request, services))


async def _saving(request: Asked, services: Services) -> tuple[Need, ...]:
    """The application of the body, and that of the pipeline that it replaces."""
    body = await access_asking.body(request)
    kind = "strategy" if request.url.path.startswith("/strategies") else "pipeline"
    wanted = request.path_params.get("pipeline_id") or request.path_params.get("strategy_id") or body.get("id")
    stored = await services.definitions.get(kind, foreign.text(wanted)) if foreign.text(wanted) else None
    if stored is not None and "application" not in body:
        body = {**body, "application": stored.body.get("application")}
    return needs.of_saving(body, stored.body if stored else None)


async def _saving_many(request: Asked, services: Services) -> tuple[Need, ...]:
    given = request.query_params.get("application")
    listed = foreign.mappings(await access_asking.json(request))
    return tuple(
        need for one in listed for need in needs.of_saving({"application": given or "", **one}, None)
    ) or needs.of_saving({"application": given or ""}, None)


async def _running(request: Asked, services: Services) -> tuple[Need, ...]:
    """Saves and starts."""
    named = foreign.text((await access_asking.body(request)).get("application")) or "adhoc"
    return (Need(right=Right.WRITE, application=named), Need(right=Right.EXECUTE, application=named))


def _of_body(right: Right) -> Rule:
    async def rule(request: Asked, services: Services) -> tuple[Need, ...]:
        return (Need(right=right, application=foreign.text((await access_asking.body(request)).get("application"))),)

    return rule


async def _jobs(request: Asked, services: Services) -> tuple[Need, ...]:
    body = await access_asking.json(request)
    given: JsonObject = body if isinstance(body, dict) else {"job": body}
    named = request.path_params.get("application")
    return needs.of_jobs({**given, "application": named} if named else given)


def _stored(right: Right) -> Rule:
    """A pipeline by its id; there is none: nothing to be refused."""
    return access_definitions.stored("pipeline", right, "config_id")


async def _reading_task(request: Asked, services: Services) -> tuple[Need, ...]:
    """READ, but for whoever has submitted it.

    Clients follow their jobs to the end: those that delete the application, too, and those of projects, which name an
    application that nobody saves.
    """
    found = await services.executions.get(str(request.path_params["task_id"]))
    if found is None:
        return ()
    head, principal = found.head, request.scope["state"]["principal"]
    may_read = principal.scopes is None or Right.READ in principal.scopes
    is_own = head.kind is ExecutionKind.ORCHESTRATION and head.authentication.user == principal.name
    return () if may_read and is_own else (Need(right=Right.READ, application=head.application),)


def _route(method: str, path: str) -> str:
    return f"{method} {re.sub(r':[a-z]+', '', path)}"


_READS, _WRITES, _STARTS = _application(Right.READ), _application(Right.WRITE), _application(Right.EXECUTE)
_READS_EXECUTION, _STEERS = _execution(Right.READ), _execution(Right.EXECUTE)
_FORGETS = _execution(Right.WRITE)
_CANCELS_TASK = _execution(Right.EXECUTE, "task_id")

RULES: dict[str, Rule] = {
    # Gate: what isn't offered, which nobody needs a right to be told.
    **{_route(method, path): signed_in for method, paths in absent.NOT_OFFERED.items() for path in paths},
    "GET /": open_to_all,
    "GET /health": open_to_all,
    "GET /health/live": open_to_all,
    "GET /health/ready": open_to_all,
    "GET /favicon.ico": open_to_all,
    "GET /ui": open_to_all,
    "GET /ui/first-person": administrators,
    "GET /ui/sign-in": open_to_all,
    "POST /ui/first-person": administrators,
    "GET /ui/{path}": open_to_all,
    "GET /auth/loggedOut": open_to_all,
    "GET /auth/logout": open_to_all,
    "GET /auth/rawUser": open_to_all,
    "GET /auth/redirect": open_to_all,
    "GET /auth/user": open_to_all,
    "GET /login": open_to_all,
    "POST /login": open_to_all,
    "GET /login/oauth2/code/{name}": open_to_all,
    "GET /oauth2/authorization/{name}": open_to_all,
    "GET /plugins/deck/plugin-manifest.json": open_to_all,
    "POST /notifications/callbacks/{source}": open_to_all,
    "POST /webhooks/{kind}": open_to_all,
    "POST /webhooks/{kind}/{source}": open_to_all,
    # Native API.
    "GET /api/v1/applications": signed_in,
    "GET /api/v1/applications/{application}/comparison": _READS,
    "GET /api/v1/applications/{application}/deliveries": _READS,
    "GET /api/v1/applications/{application}/drift": _READS,
    "GET /api/v1/applications/{application}/releases": _READS,
    "POST /api/v1/applications/{application}/pipelines/{name_or_id}/start": _STARTS,
    "POST /api/v1/applications/{application}/rollback": _WRITES,
    "GET /api/v1/definitions/{kind}/{definition_id}": access_definitions.of_any_kind(Right.READ),
    "GET /api/v1/definitions/{kind}/{definition_id}/revisions": access_definitions.of_any_kind(Right.READ),
    "GET /api/v1/definitions/{kind}/{definition_id}/revisions/{revision}": access_definitions.of_any_kind(Right.READ),
    "POST /api/v1/definitions/{kind}/{definition_id}/restore": access_definitions.of_any_kind(Right.WRITE),
    "GET /api/v1/events": signed_in,
    "GET /api/v1/evidence/{digest}": signed_in,
    "GET /api/v1/executions": signed_in,
    "GET /api/v1/executions/{execution_id}": _READS_EXECUTION,
    "GET /api/v1/executions/{execution_id}/evidence": _READS_EXECUTION,
    "GET /api/v1/executions/{execution_id}/journal": _READS_EXECUTION,
    "GET /api/v1/executions/{execution_id}/log": _READS_EXECUTION,
    "GET /api/v1/executions/{execution_id}/logs": _READS_EXECUTION,
    "GET /api/v1/executions/{execution_id}/stages/{stage_id}/approval": _READS_EXECUTION,
    "GET /api/v1/executions/{execution_id}/why": _READS_EXECUTION,
    "POST /api/v1/executions/{execution_id}/cancel": _STEERS,
    "POST /api/v1/executions/{execution_id}/pause": _STEERS,
    "POST /api/v1/executions/{execution_id}/resume": _STEERS,
    "POST /api/v1/executions/{execution_id}/stages/{stage_id}/ignore-failure": _STEERS,
    "POST /api/v1/executions/{execution_id}/stages/{stage_id}/judgment": _STEERS,
    "POST /api/v1/executions/{execution_id}/stages/{stage_id}/restart": _STEERS,
    "POST /api/v1/executions/{execution_id}/stages/{stage_id}/skip": _skipping,
    "GET /api/v1/imports": administrators,
    "POST /api/v1/imports": administrators,
    "POST /api/v1/imports/{application}/cut-over": administrators,
    "GET /api/v1/people": administrators,
    "POST /api/v1/people": administrators,
    "GET /api/v1/people/{name}": administrators,
    "PATCH /api/v1/people/{name}": administrators,
    "PUT /api/v1/me/password": signed_in,
    "GET /api/v1/secrets": administrators,
    "GET /api/v1/secrets/{name}": administrators,
    "DELETE /api/v1/secrets/{name}": administrators,
    "PUT /api/v1/secrets/{name}": administrators,
    "POST /api/v1/secrets/rotate": administrators,
    "GET /api/v1/service-accounts": administrators,
    "GET /api/v1/service-accounts/{name}": administrators,
    "PUT /api/v1/service-accounts/{name}": administrators,
    "GET /api/v1/pipelines": signed_in,
    "POST /api/v1/pipelines": _saving,
    "POST /api/v1/run": _running,
    "GET /api/v1/schema": signed_in,
    "GET /api/v1/schema/openapi.json": signed_in,
    "GET /api/v1/stage-types": signed_in,
    "GET /api/v1/traffic": signed_in,
    # Gate: applications and what is theirs.
    "GET /applications": signed_in,
    "GET /applications/{application}": _READS,
    "GET /applications/{application}/clusters": _READS,
    "GET /applications/{application}/clusters/{account}": _application_and_account,
    "GET /applications/{application}/clusters/{account}/{cluster}": _application_and_account,
    "GET /applications/{application}/clusters/{account}/{cluster}/{provider}": _application_and_account,
    "GET /applications/{application}/clusters/{account}/{cluster}/{provider}/serverGroups": _application_and_account,
    "GET /applications/{application}/clusters/{account}/{cluster}/{provider}/serverGroups/{name}": (
        _application_and_account
    ),
    "GET /applications/{application}/clusters/{account}/{cluster}/{provider}/{region}/serverGroups/target/{target}": (
        _application_and_account
    ),
    "GET /applications/{application}/executions/search": _READS,
    "GET /applications/{application}/functions": _READS,
    "GET /applications/{application}/history": _READS,
    "GET /applications/{application}/loadBalancers": _READS,
    "GET /applications/{application}/pipelineConfigs": _READS,
    "GET /applications/{application}/pipelineConfigs/{name_or_id}": _READS,
    "GET /applications/{application}/pipelines": _READS,
    "GET /v2/applications/{application}/pipelines": _READS,
    "GET /applications/{application}/pipelines/search": _READS,
    "GET /applications/{application}/rawResources": _READS,
    "GET /applications/{application}/serverGroupManagers": _READS,
    "GET /applications/{application}/serverGroups": _READS,
    "GET /applications/{application}/serverGroups/{account}/{region}/{name}": _application_and_account,
    "GET /applications/{application}/strategyConfigs": _READS,
    "GET /applications/{application}/strategyConfigs/{name_or_id}": _READS,
    "GET /applications/{application}/tasks": _READS,
    "GET /applications/{application}/tasks/{task_id}": _reading_task,
    "PUT /applications/{application}/tasks/{task_id}/cancel": _CANCELS_TASK,
    "POST /applications/{application}/tasks": _jobs,
    "PUT /applications/{application}/pipelines/{execution_id}/cancel": _STEERS,
    "DELETE /notifications/application/{application}": _WRITES,
    "GET /notifications/application/{application}": _READS,
    "POST /notifications/application/{application}": _WRITES,
    # Gate: pipelines and strategies as they are stored.
    "DELETE /pipelines/{application}/{name}": _WRITES,
    "DELETE /strategies/{application}/{name}": _WRITES,
    "GET /pipelineConfigs": signed_in,
    "GET /pipelineConfigs/{pipeline_id}/history": access_definitions.stored("pipeline", Right.READ, "pipeline_id"),
    "GET /strategyConfigs": signed_in,
    "GET /strategyConfigs/{strategy_id}/history": access_definitions.stored("strategy", Right.READ, "strategy_id"),
    "POST /actions/{kind}/reorder": _of_body(Right.WRITE),
    "POST /pipelines": _saving,
    "POST /pipelines/bulksave": _saving_many,
    "POST /pipelines/move": _saving,
    "POST /strategies": _saving,
    "POST /strategies/move": _saving,
    "PUT /pipelines/{pipeline_id}": _saving,
    "PUT /strategies/{strategy_id}": _saving,
    # Gate and Orca: executions.
    "DELETE /pipelines/{execution_id}": _FORGETS,
    "GET /executions": signed_in,
    "GET /executions/correlated/{correlation_id}": signed_in,
    "GET /executions/failedStages": _READS_EXECUTION,
    "GET /pipelines": signed_in,
    "GET /pipelines/failedStages": _READS_EXECUTION,
    "GET /pipelines/{execution_id}": _READS_EXECUTION,
    "GET /pipelines/{execution_id}/evaluateExpression": _READS_EXECUTION,
    "GET /pipelines/{execution_id}/{stage_id}/evaluateExpression": _READS_EXECUTION,
    "PATCH /pipelines/{execution_id}/stages/{stage_id}": _patching,
    "POST /fail": _of_body(Right.EXECUTE),
    "POST /orchestrate": _of_body(Right.EXECUTE),
    "POST /orchestrate/{config_id}": _stored(Right.EXECUTE),
    "POST /pipelines/start": _of_body(Right.EXECUTE),
    "POST /pipelines/v2/{application}/{name_or_id}": _STARTS,
    "POST /pipelines/{application}/{name_or_id}": _STARTS,
    "POST /pipelines/{execution_id}/evaluateExpression": _READS_EXECUTION,
    "POST /pipelines/{execution_id}/evaluateVariables": _READS_EXECUTION,
    "POST /plan": _of_body(Right.EXECUTE),
    "POST /plan/{config_id}": _stored(Right.EXECUTE),
    "PUT /pipelines/{execution_id}/cancel": _STEERS,
    "PUT /pipelines/{execution_id}/pause": _STEERS,
    "PUT /pipelines/{execution_id}/resume": _STEERS,
    "PUT /pipelines/{execution_id}/stages/{stage_id}/restart": _STEERS,
    # Gate and Orca: what administrators do.
    "PUT /admin/executions/forceCancel": administrators,
    "PUT /admin/forceCancelExecution": administrators,
    # Gate: tasks.
    "DELETE /tasks/{task_id}": _execution(Right.WRITE, "task_id"),
    "GET /tasks": signed_in,
    "GET /tasks/{task_id}": _reading_task,
    "POST /ops": _jobs,
    "POST /tasks": _jobs,
    "PUT /tasks/cancel": signed_in,
    "PUT /tasks/{task_id}/cancel": _CANCELS_TASK,
    # Gate: what is nobody's, or whose lists are filtered.
    **{_route("GET", path): signed_in for path in (*absent.LISTS, absent.OLD_TEMPLATES, *absent.MAPS)},
    **{_route("POST", path): signed_in for path in absent.ALSO_LISTED},
    "GET /auth/user/serviceAccounts": signed_in,
    "POST /auth/roles/sync": administrators,
    "GET /auth/apiTokens": signed_in,
    "POST /auth/apiTokens": signed_in,
    "GET /auth/apiTokens/admin/users": administrators,
    "GET /auth/apiTokens/serviceAccounts": signed_in,
    "DELETE /auth/apiTokens/{token_id}": signed_in,
    "GET /artifacts/account/{account}/names": _account(Right.READ),
    "GET /artifacts/account/{account}/versions": _account(Right.READ),
    "GET /artifacts/credentials": signed_in,
    "GET /capabilities/deploymentMonitors": signed_in,
    "GET /capabilities/expressions": signed_in,
    "GET /capabilities/quietPeriod": signed_in,
    "GET /cron/validate": signed_in,
    "GET /credentials": signed_in,
    "GET /credentials/{name}": _account(Right.READ),
    "GET /firewalls": signed_in,
    "GET /firewalls/{account}": _account(Right.READ),
    "GET /firewalls/{account}/{region}/{name}": _account(Right.READ),
    "GET /images/find": signed_in,
    "GET /images/tags": signed_in,
    "GET /instances/{account}/{region}/{instance_id}": _account(Right.READ),
    "GET /instances/{account}/{region}/{instance_id}/console": _account(Right.READ),
    "GET /jobs/preconfigured": signed_in,
    "GET /loadBalancers": signed_in,
    "GET /loadBalancers/{account}/{region}/{name}": _account(Right.READ),
    "GET /manifests/{account}/{location}/{name}": _account(Right.READ),
    "GET /manifests/{account}/{location}/{kind}/cluster/{application}/{cluster}": _application_and_account,
    "GET /manifests/{account}/{location}/{kind}/cluster/{application}/{cluster}/dynamic/{criteria}": (
        _application_and_account
    ),
    "GET /projects": signed_in,
    "GET /projects/{project}": signed_in,
    "GET /projects/{project}/clusters": signed_in,
    "GET /projects/{project}/pipelines": signed_in,
    "GET /search": signed_in,
    "GET /securityGroups": signed_in,
    "GET /securityGroups/{account}": _account(Right.READ),
    "GET /securityGroups/{account}/{region}/{name}": _account(Right.READ),
    "GET /serverGroups": signed_in,
    # Its application is looked at where it is found.
    "GET /serverGroups/{account}/{region}/{name}": _account(Right.READ),
    "GET /v2/builds": signed_in,
    "GET /v2/builds/{master}/build/{number}/{job}": access_builds.reading,
    "GET /v2/builds/{master}/builds/{job}": access_builds.reading,
    "GET /v2/builds/{master}/jobs": access_builds.reading,
    "GET /v2/builds/{master}/jobs/{job}": access_builds.reading,
    "GET /v3/builds": signed_in,
    "GET /v3/builds/{master}/build/{number}": access_builds.reading,
    "GET /v3/builds/{master}/builds": access_builds.reading,
    "GET /v3/builds/{master}/job": access_builds.reading,
    "GET /v3/builds/{master}/jobs": access_builds.reading,
    "GET /version": signed_in,
    "GET /webhooks/preconfigured": signed_in,
    # Templates and canary configs are shown to everybody who has signed in, as in Spinnaker; results by whose they are.
    "DELETE /v2/canaryConfig/{config_id}": access_definitions.canary_config,
    "DELETE /v2/pipelineTemplates/{template_id}": signed_in,
    "GET /v2/canaries/canary/{config_id}/{run_id}": signed_in,
    "GET /v2/canaries/canary/{run_id}": signed_in,
    "GET /v2/canaries/credentials": signed_in,
    "GET /v2/canaries/judges": signed_in,
    "GET /v2/canaries/metadata/metricsService": signed_in,
    "GET /v2/canaries/metricSetPairList/{digest}": signed_in,
    "GET /v2/canaries/{application}/executions": _READS,
    "GET /v2/canaryConfig": signed_in,
    "GET /v2/canaryConfig/{config_id}": signed_in,
    "GET /v2/pipelineTemplates": signed_in,
    "GET /v2/pipelineTemplates/versions": signed_in,
    "GET /v2/pipelineTemplates/{template_id}": signed_in,
    "GET /v2/pipelineTemplates/{template_id}/dependentPipelines": signed_in,
    "POST /api/v1/canary-configs": access_definitions.canary_config,
    "POST /v2/canaries/canary": signed_in,
    "POST /v2/canaries/canary/{config_id}": signed_in,
    "POST /v2/canaryConfig": access_definitions.canary_config,
    "POST /v2/pipelineTemplates/create": signed_in,
    "POST /v2/pipelineTemplates/plan": signed_in,
    "POST /v2/pipelineTemplates/update/{template_id}": signed_in,
    "PUT /artifacts/fetch": _fetching,
    "PUT /v2/canaryConfig/{config_id}": access_definitions.canary_config,
}
"""By method and path, parameters as `{name}`."""


def of(method: str, path_template: str) -> Rule:
    """The rule of a route; HEAD counts as GET."""
    route = f"{'GET' if method == 'HEAD' else method} {path_template.rstrip('/') or '/'}"
    return _BY_FORM.get(form(route), administrators)


def right_of(method: str, path_template: str) -> Right:
    """What a token's scopes must have for a request that asks for no right on anything: what everybody may do who has signed in."""
    by_rule = {
        _STEERS: Right.EXECUTE,
        _CANCELS_TASK: Right.EXECUTE,
        _patching: Right.EXECUTE,
        _READS_EXECUTION: Right.READ,
    }
    route = form(f"{method} {path_template.rstrip('/') or '/'}")
    return _RIGHTS.get(route) or by_rule.get(of(method, path_template), Right.WRITE)


def form(route: str) -> str:
    """Without its parameters' names: the framework knows one set of them for all methods of a path."""
    return re.sub(r"\{[^}]*\}", "{}", route)


_BY_FORM = {form(route): rule for route, rule in RULES.items()}
_RIGHTS = {
    form(route): right
    for route, right in {
        "POST /v2/pipelineTemplates/plan": Right.READ,
        "PUT /artifacts/fetch": Right.READ,
        "POST /v2/canaries/canary": Right.EXECUTE,
        "POST /v2/canaries/canary/{config_id}": Right.EXECUTE,
        "PUT /tasks/cancel": Right.EXECUTE,
        "POST /auth/apiTokens": Right.READ,  # it says itself that no token makes another
    }.items()
}
"""Of routes that change something which no application has, and don't change definitions."""
