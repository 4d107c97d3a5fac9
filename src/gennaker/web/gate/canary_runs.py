"""Gate's (Kayenta's) canary runs: a judgement started by hand, and the results of those and of pipelines' canary stages.

A run is an orchestration of one `runCanary` stage. A judgement of a pipeline is found by the digest under which its
evidence is kept (`canaryPipelineExecutionId` of the stage's outputs).
"""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from gennaker.canary import escaping
from gennaker.canary.config import JUDGE_NAME
from gennaker.interfaces.executions import Found
from gennaker.interfaces.metrics import MetricCatalogue, MetricSource, MetricsUnavailable
from gennaker.model import foreign, needs
from gennaker.model.codec import Json, JsonObject, decode_json, milliseconds
from gennaker.model.execution import Execution, Stage
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.model.statuses import Status
from gennaker.web import orchestrations, shapes, visible
from gennaker.web.gate import amounts, canary_configs
from gennaker.web.gate.amounts import Amount
from gennaker.web.ports import Asking, Ports, WebPorts
from gennaker.web.sign_in import address_of

_RUN = "runCanary"
_LOOKED_AT = 200
Parent = Annotated[str, QueryParameter(name="parentPipelineExecutionId")]
MetricsAccount = Annotated[str, QueryParameter(name="metricsAccountName")]
Wanted = Annotated[str, QueryParameter(name="filter", description="What the names must hold, in whatever case")]


class Run(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`POST /v2/canaries/canary`."""

    canary_config: JsonObject
    execution_request: JsonObject


class GateCanariesController(Controller):
    """Routes under /v2/canaries. Which account keeps what doesn't count: there is one store."""

    path = "/v2/canaries"

    @post("/canary", status_code=200)
    async def start(
        self,
        *,
        ports: Ports,
        principal: Asking,
        data: JSONBody[Run],
        application: FromQuery[str] = "",
        parent: Parent = "",
    ) -> JsonObject:
        """Judges by the config of the body."""
        told: JsonObject = {"parentPipelineExecutionId": parent} if parent else {}
        return await _started(ports, principal, data.canary_config, data.execution_request, application, told)

    @post("/canary/{config_id:str}", status_code=200)
    async def start_stored(
        self,
        *,
        ports: Ports,
        principal: Asking,
        config_id: FromPath[str],
        data: JSONBody[JsonObject],
        application: FromQuery[str] = "",
        parent: Parent = "",
    ) -> JsonObject:
        """Judges by a stored config."""
        config = canary_configs.shown(await canary_configs.existing(ports, config_id))
        told: JsonObject = {"canaryConfigId": config_id}
        if parent:
            told["parentPipelineExecutionId"] = parent
        return await _started(ports, principal, config, data, application, told)

    @get("/canary/{run_id:str}")
    async def result(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any], run_id: FromPath[str]
    ) -> JsonObject:
        """How a run stands, and what was judged."""
        return await _result(ports, principal, run_id, address_of(request))

    @get("/canary/{config_id:str}/{run_id:str}")
    async def result_of_config(
        self,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        config_id: FromPath[str],
        run_id: FromPath[str],
    ) -> JsonObject:
        """The same; a run is known without its config."""
        return await _result(ports, principal, run_id, address_of(request))

    @get("/{application:str}/executions")
    async def of_application(
        self,
        *,
        ports: Ports,
        principal: Asking,
        request: Request[Any, Any, Any],
        application: FromPath[str],
        limit: Amount = 20,
        statuses: FromQuery[str] = "",
    ) -> list[JsonObject]:
        """The newest judgements of an application: runs, and those of its pipelines' canary stages."""
        wanted = {word.lower() for word in statuses.split(",") if word}
        newest = await ports.services.executions.find(Found(application=application, limit=_LOOKED_AT))
        found: list[JsonObject] = []
        for execution in newest:
            for stage in execution.in_order():
                if stage.type == _RUN and stage.start_time is not None and len(found) < limit:
                    shown = await _shown(ports, principal, execution, stage, address_of(request))
                    found += [shown] if not wanted or shown["status"] in wanted else []
        return found

    @get("/metricSetPairList/{digest:str}")
    async def pairs(
        self, ports: Ports, principal: Asking, request: Request[Any, Any, Any], digest: FromPath[str]
    ) -> list[Json]:
        """The samples of a judgement."""
        found = await _json(ports, principal, digest, address_of(request))
        if not isinstance(found, list):
            raise Refused(
                Problem(code="canary.pairs_unknown", message=f"There is no metric set pair list {digest!r}."),
                status=404,
            )
        return found

    @get("/judges")
    async def judges(self, principal: Asking) -> list[JsonObject]:
        """The only one."""
        return [{"name": JUDGE_NAME, "visible": True}]

    @get("/credentials")
    async def accounts(self, ports: Ports, principal: Asking) -> list[JsonObject]:
        """One account for each type of metric source, and one that keeps configs and results."""
        sources: list[JsonObject] = [
            {"name": kind, "type": kind, "supportedTypes": ["METRICS_STORE"], "metricsStoreType": kind}
            for kind in ports.services.metrics
        ]
        store: JsonObject = {
            "name": "gennaker",
            "type": "gennaker",
            "supportedTypes": ["CONFIGURATION_STORE", "OBJECT_STORE"],
        }
        return [*sources, store]

    @get("/metadata/metricsService")
    async def metrics(
        self, ports: Ports, principal: Asking, account: MetricsAccount = "", wanted: Wanted = ""
    ) -> list[JsonObject]:
        """Names of the metrics that an account's queries can ask for; without `metricsAccountName` of the first one."""
        source = _source(ports, account)
        if source is None or not isinstance(source, MetricCatalogue):
            return []  # as Kayenta answers for what can't say it
        try:
            names = await source.metric_names()
        except MetricsUnavailable as error:
            raise Refused(Problem(code="canary.source_unavailable", message=str(error)), status=503) from error
        found: list[JsonObject] = [{"name": one} for one in names if wanted.casefold() in one.casefold()]
        return found[: amounts.RESULTS]


def _source(ports: WebPorts, name: str) -> MetricSource | None:
    """Raises Refused for an account that isn't there; None: there is no source at all."""
    sources = ports.services.metrics
    if name and name not in sources:
        known = ", ".join(sorted(sources)) or "none"
        message = f"There is no account {name!r} of a metric source. There are: {known}."
        raise Refused(Problem(code="canary.no_source", message=message))
    return sources[name] if name else next(iter(sources.values()), None)


async def _started(
    ports: WebPorts,
    principal: Principal,
    config: JsonObject,
    request: JsonObject,
    application: str,
    told: JsonObject,
) -> JsonObject:
    scopes = _scopes(request)
    canary_configs.refuse_broken(ports, config, scope_names=list(scopes))
    _refuse_unknown_sources(ports, config)
    named = [foreign.text(one) for one in foreign.items(config.get("applications"))]
    job: JsonObject = {
        "type": _RUN,
        "name": "Run Canary",
        "scopes": scopes,
        "scoreThresholds": foreign.mapping(request.get("thresholds")),
        "resolvedCanaryConfig": escaping.escaped(config),
        "isLive": False,
        **told,
    }
    description = f"Judge by canary config {config.get('name') or config.get('id') or ''}".rstrip()
    application = application or next(iter(named), needs.AD_HOC)
    task = await orchestrations.submit(
        ports, principal, {"application": application, "description": description, "job": [job]}
    )
    return {"canaryExecutionId": str(task["ref"]).removeprefix("/tasks/")}


def _refuse_unknown_sources(ports: WebPorts, config: JsonObject) -> None:
    """As Kayenta does, before anything begins: `spin` can't tell a run that has failed from one with a score."""
    types = [foreign.text_at(foreign.mapping(one).get("query"), "type") for one in foreign.items(config.get("metrics"))]
    unknown = {kind: place for place, kind in reversed([*enumerate(types)]) if kind not in ports.services.metrics}
    if unknown:
        known = ", ".join(sorted(ports.services.metrics)) or "none"
        raise Refused(
            *(
                Problem(
                    code="canary.no_source",
                    message=f"There is no metric source of type {kind!r}. There are: {known}.",
                    remedy="Install the plugin that offers it and set it up, or use another `type` in the config's queries.",
                    pointer=f"/canaryConfig/metrics/{place}/query/type",
                )
                for kind, place in unknown.items()
            ),
            status=400,
        )


def _scopes(request: JsonObject) -> JsonObject:
    scopes = foreign.mapping(request.get("scopes"))
    sides = ("controlScope", "experimentScope")
    wrong = [
        f"/executionRequest/scopes/{name}/{side}"
        for name, both in scopes.items()
        for side in sides
        if not isinstance(foreign.mapping(both).get(side), dict)
    ]
    if scopes and not wrong:
        return scopes
    raise Refused(
        *(
            Problem(
                code="canary.no_scopes",
                message="The request needs the scopes that are to be compared.",
                remedy="Give `scopes`, each with a `controlScope` and an `experimentScope` of scope, start, end and step.",
                pointer=pointer,
            )
            for pointer in wrong or ["/executionRequest/scopes"]
        )
    )


async def _result(ports: WebPorts, principal: Principal, run_id: str, address: str) -> JsonObject:
    execution = await visible.execution(ports, principal, run_id, address=address)
    if execution is not None:
        for stage in execution.in_order():
            if stage.type == _RUN:
                shown = await _shown(ports, principal, execution, stage, address)
                # `spin` reads the classification of whatever is complete, and breaks off where there is none.
                return {"result": _unjudged(execution, stage), **shown} if shown["complete"] else shown
    kept = await _document(ports, principal, f"sha256:{run_id}", address)
    if kept is None:
        raise Refused(Problem(code="canary.unknown", message=f"There is no canary run {run_id!r}."), status=404)
    return {"complete": True, "status": "succeeded", "pipelineId": run_id, **_kept(kept)}


async def _shown(ports: WebPorts, principal: Principal, execution: Execution, stage: Stage, address: str) -> JsonObject:
    context = stage.context
    judged = foreign.text_at(context.get("canaryInterval"), "evidence")
    kept = await _document(ports, principal, judged, address) if judged else None
    # A low score ends the stage TERMINAL; for Kayenta a run that was judged has succeeded, whatever the score.
    status = Status.SUCCEEDED if kept is not None else stage.status
    head = execution.head
    run_id = judged.removeprefix("sha256:") if judged and head.pipeline_config_id else head.id
    exception = context.get("exception")
    return {
        "application": head.application,
        "parentPipelineExecutionId": context.get("parentPipelineExecutionId") or _pipeline_id(execution),
        "pipelineId": run_id,
        "stageStatus": {stage.ref_id: stage.status.lower()},
        "complete": stage.status.is_complete or execution.head.status.is_complete,
        "status": status.lower(),
        "exception": exception if kept is None and exception else None,
        "canaryConfigId": context.get("canaryConfigId"),
        "canaryExecutionRequest": {"scopes": context.get("scopes"), "thresholds": context.get("scoreThresholds")},
        "metricSetPairListId": context.get("metricSetPairListId"),
        "buildTimeMillis": milliseconds(head.build_time),
        "buildTimeIso": shapes.instant(head.build_time),
        "startTimeMillis": milliseconds(stage.start_time),
        "startTimeIso": shapes.instant(stage.start_time),
        "endTimeMillis": milliseconds(stage.end_time),
        "endTimeIso": shapes.instant(stage.end_time),
        **(_kept(kept) if kept is not None else {}),
    }


def _unjudged(execution: Execution, stage: Stage) -> JsonObject:
    """What is shown of a run that has ended without a judgement: Kayenta's classification of what couldn't be judged."""
    said = [foreign.text_at(one, "message") for one in shapes.stage_problems(stage)]
    why = " ".join(filter(None, said)) or execution.head.cancellation_reason or f"The run ended {stage.status}."
    score: JsonObject = {"score": 0, "classification": "Error", "classificationReason": why}
    return {"judgeResult": {"score": score, "results": [], "groupScores": []}}


def _kept(document: JsonObject) -> JsonObject:
    return {"result": document.get("result"), "config": document.get("canaryConfig")}


async def _document(ports: WebPorts, principal: Principal, digest: str, address: str) -> JsonObject | None:
    """What is kept of a judgement; None: nothing, or something else."""
    found = await _json(ports, principal, digest, address)
    return found if isinstance(found, dict) and "judgeResult" in foreign.mapping(found.get("result")) else None


async def _json(ports: WebPorts, principal: Principal, digest: str, address: str) -> Json:
    """What is kept under a digest; None: nothing, or no JSON."""
    content = await visible.evidence(ports, principal, digest, address=address)
    try:
        return None if content is None else decode_json(content)
    except msgspec.DecodeError:
        return None


def _pipeline_id(execution: Execution) -> Json:
    return execution.head.id if execution.head.pipeline_config_id else None
