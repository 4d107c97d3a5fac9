"""Deploy Manifest: deploys Kubernetes manifests and waits until they are stable.

What is going to be sent is decided and kept before the first manifest is sent: whoever goes on after a crash sends the
same once more, and no second version is made.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial

import msgspec

from gennaker.interfaces import produced
from gennaker.interfaces.api_servers import ApiFailure, ApiUnavailable
from gennaker.interfaces.artifacts import ArtifactUnavailable
from gennaker.interfaces.stages import StageContext, StageSpec, StageType, TaskContext
from gennaker.model import foreign, half_applied, waiting
from gennaker.model.artifact import Plain
from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.event import Again, Done, Failed, PlannedStage, TaskResult
from gennaker.model.moniker import Moniker
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import (
    accounts,
    asking,
    cleaning,
    confidential,
    cut_off,
    deploying,
    kinds,
    manifests,
    pruning,
    quotas,
    rehearsing,
    reserving,
    selectors,
    sources,
    stability,
    strategies,
    submitting,
)
from gennaker.plugins.kubernetes.annotations import Way
from gennaker.plugins.kubernetes.deploying import Facts, Prepared, Request
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.objects import Objects
from gennaker.plugins.kubernetes.replacing import Binding

_AT_A_TIME = 8


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    account: str = ""
    cloud_provider: str = ""
    source: str = "text"
    """`text` or `artifact`."""
    manifests: tuple[JsonObject | list[Json] | None, ...] | JsonObject | str | None = ()
    """What is itself a list is opened: an expression may give one."""
    manifest_artifact_id: str | None = ""
    manifest_artifact: JsonObject | None = None
    manifest_artifact_account: str | None = ""
    required_artifact_ids: tuple[str, ...] | None = ()
    required_artifacts: tuple[JsonObject, ...] | None = ()
    enable_artifact_binding: bool = True
    skip_expression_evaluation: bool = False
    namespace_override: str | None = ""
    label_selectors: JsonObject | None = None
    allow_nothing_selected: bool = False
    skip_spec_template_labels: bool = False
    versioned: bool | None = None
    moniker: JsonObject | None = None
    traffic_management: JsonObject | None = None
    stable_manifest_timeout_minutes: Plain | None = None
    diff_only: bool = False
    """Shows what would change and applies nothing: a judgment may stand between this and the deployment."""
    as_stage: str = ""
    """With `diffOnly`: `refId` of the stage that will deploy, so that what it would prune is shown."""
    prune: bool = False
    """Deletes what earlier runs of this stage have applied and this one no longer contains."""
    no_output: bool = False
    """Later stages see nothing of it."""


async def resolve(context: TaskContext) -> TaskResult:
    """Reads the manifests, and says everything that is wrong with them."""
    try:
        written = await sources.documents(context)
    except ArtifactUnavailable as error:
        return Failed(problem=Problem(code="artifact.unavailable", message=str(error)), retryable=True)
    given = deploying.expanded(written)
    objects = asking.objects(context)
    placed = [await _placed(objects, one, context) for one in given]
    wrong = accounts.problems_of(objects.account, dict(enumerate(placed)))
    problems = [one for found in wrong.values() for one in found]
    if not placed:
        problems = [Problem(code="manifest.none", message="There is no manifest to deploy.", pointer="/manifests")]
    if problems:
        well_formed = {place: one for place, one in enumerate(placed) if place not in wrong}
        raise Refused(_together([*problems, *await _refused(context, objects, well_formed)]))
    # Not in the context: `requiredArtifacts` is what was written there, and binds anew in a restart; and what others have sent
    # along would be evaluated there with all that the stage sees.
    told = sources.told(context)
    shown: JsonObject = {"manifests": [confidential.without_secrets(one) for one in given]}
    fetched = shown if context.stage.context.get("source") == "artifact" else {}
    return Done(context={"resolvedManifests": [*placed], **fetched}, outputs={} if _is_quiet(context) else shown | told)


async def _refused(context: TaskContext, objects: Objects, given: Mapping[int, JsonObject]) -> Sequence[Problem]:
    """What the API server says against manifests that are beside malformed ones: all that is wrong is said at once."""
    places = [*given]
    try:
        prepared = await _prepare(context, objects, reserving.Book(), [*given.values()])
    except Refused:  # as for required artifacts: that may be for want of the others
        return ()
    ready = [msgspec.structs.replace(one, place=places[one.place]) for one in prepared.ready]
    return (await rehearsing.rehearse(objects, ready)).problems


async def _placed(objects: Objects, manifest: JsonObject, context: TaskContext) -> JsonObject:
    namespace = foreign.text_at(context.stage.context, "namespaceOverride")
    kind = kinds.of(manifest)
    is_namespaced = kinds.properties(kind).is_namespaced
    if namespace and not kinds.is_known(kind):
        resource = await objects.known(kind, foreign.text_at(manifest, "apiVersion"))
        is_namespaced = resource is None or resource.is_namespaced
    return deploying.in_namespace(manifest, namespace, is_namespaced=lambda _: is_namespaced)


async def deploy(context: TaskContext) -> TaskResult:
    """Decides, then sends what was decided; a repeat sends the same again."""
    objects = asking.objects(context)
    decided = context.task.memory.get("ready")
    if not isinstance(decided, list):
        return await _decide(context, objects)
    ready = foreign.mappings(decided)
    meant = [(place, one) for place, one in enumerate(ready) if _is_chosen(context, _manifest(one))]
    sent: list[JsonObject] = []
    for together in _turns(meant):
        submits = [partial(_submit, context, objects, one, place) for place, one in together]
        outcomes = await asking.outcomes(submits, at_a_time=_AT_A_TIME)
        if failure := _decisive(outcomes):
            ended = [(one, made) for (_, one), made in zip(together, outcomes, strict=True)]
            applied = [one for one, made in ended if isinstance(made, dict)]
            lost = [one for one, made in ended if isinstance(made, ApiUnavailable) and made.may_be_done]
            before = [one for _, one in meant[: len(sent)]]
            if isinstance(failure, Refused):
                await reserving.release(context, objects)
            everything = [one for _, one in meant]
            return cut_off.failed(context, everything, [*before, *applied], failure=failure, unanswered=lost)
        sent += [one for one in outcomes if isinstance(one, dict)]
    await reserving.release(context, objects)
    _check_selected(context, sent)
    created: list[Json] = [one["artifact"] for _, one in meant]
    outputs: JsonObject = {
        "outputs.manifests": [confidential.without_secrets(one) for one in sent],
        stability.NAMES: stability.names_by_namespace(sent),
        "outputs.boundArtifacts": foreign.items(context.task.memory.get("bound")),
        "outputs.createdArtifacts": created,
        "artifacts": created,
    }
    return Done(context=outputs, outputs={} if _is_quiet(context) else outputs)


def _is_quiet(context: StageContext) -> bool:
    return foreign.flag(context.stage.context.get("noOutput"))


def _decisive(outcomes: Sequence[JsonObject | Refused | ApiFailure]) -> Refused | ApiFailure | None:
    """Of some sent at once: what may have been applied although nobody has said so is sent again, whatever else was refused."""
    failures = [one for one in outcomes if not isinstance(one, dict)]
    return next((one for one in failures if isinstance(one, ApiFailure)), failures[0] if failures else None)


async def _decide(context: TaskContext, objects: Objects) -> TaskResult:
    """Tries everything without effect, and keeps what is to be sent."""
    book = await reserving.read(context, objects)
    wanted = foreign.mappings_at(context.stage.context, "resolvedManifests")
    prepared = await _prepare(context, objects, book, wanted)
    chosen = [one for one in prepared.ready if _is_chosen(context, one.manifest)]
    rehearsal = await rehearsing.rehearse(objects, chosen)
    if rehearsal.problems:
        raise Refused(_together(list(rehearsal.problems)))
    is_rehearsal = foreign.flag(context.stage.context.get("diffOnly"))
    left = await pruning.left(context, objects, given=prepared.ready, sent=() if is_rehearsal else chosen)
    shown: JsonObject = {"manifestDifferences": [*rehearsal.differences, *left.differences]}
    if is_rehearsal:
        return Done(context=shown, outputs=shown)
    await quotas.check(objects, strategies.beside(context.stage.context, chosen))
    if not await reserving.hold(context, objects, book, chosen):
        waits = waiting.ForWork(reason="numbers for its versions: another stage has just taken some", what="run")
        return Again(after=timedelta(), waiting_for=waits)
    return Again(
        after=timedelta(),
        memory={"ready": to_json(prepared.ready), "bound": to_json(prepared.bound)},
        context=shown | {pruning.TO_PRUNE: [*left.to_prune]},
        waiting_for=waiting.ForWork(reason="the manifests to be sent", what="run"),
    )


async def _prepare(
    context: TaskContext, objects: Objects, book: reserving.Book, wanted: Sequence[JsonObject]
) -> Prepared:
    request = msgspec.structs.replace(request_of(context, objects), applied_by=pruning.set_of(context))
    needed = deploying.needed(wanted, request)
    facts = Facts(
        lists={(kind.key, space): await _prior(objects, kind, space) for kind, space in needed.lists},
        objects={one.key: found for one in needed.objects if (found := await objects.get(one)) is not None},
        taken=reserving.taken(context, objects, book),
    )
    return deploying.prepare(wanted, request, facts)


async def _prior(objects: Objects, kind: Kind, namespace: str) -> list[JsonObject]:
    """A kind that the cluster gets by this very request has no objects yet."""
    return await objects.list(kind, namespace) if await objects.known(kind) is not None else []


def request_of(context: StageContext, objects: Objects) -> Request:
    """What the stage asks for. Raises Refused."""
    own, account = context.stage.context, objects.account
    named = foreign.mapping(own.get("moniker"))
    binds = own.get("enableArtifactBinding") is not False
    traffic = strategies.traffic_of(own)
    return Request(
        account=account.name,
        moniker=Moniker(
            app=foreign.text_at(named, "app") or context.execution.head.application,
            stack=foreign.text_at(named, "stack") or None,
            detail=foreign.text_at(named, "detail") or None,
            cluster=foreign.text_at(named, "cluster") or None,
        ),
        required=sources.required(context),
        optional=sources.optional(context),
        binds_artifacts=binds,
        binding=Binding.NAME_ONLY if account.settings.match_image_names_only else Binding.NAME_AND_TAG,
        is_versioned=None if own.get("versioned") is None else foreign.flag(own.get("versioned")),
        services=traffic.services,
        sends_traffic=traffic.is_enabled,
        strategy=traffic.strategy,
        has_selectors=bool(_selectors(context)),
        skips_template_labels=foreign.flag(own.get("skipSpecTemplateLabels")),
        managed_by=account.managed_by,
        custom=account.custom,
    )


def _turns(meant: Iterable[tuple[int, JsonObject]]) -> Iterator[list[tuple[int, JsonObject]]]:
    """Some of one kind are sent at once, so that no more than that are tried beside one that fails; all else is in its order."""
    turn: list[tuple[int, JsonObject]] = []
    for place, one in meant:
        own = manifests.coordinates(_manifest(one))
        there = [manifests.coordinates(_manifest(other)) for _, other in turn]
        is_same = own.name and own.key in {other.key for other in there}
        if is_same or len(turn) == _AT_A_TIME or (there and there[0].kind != own.kind):
            yield turn
            turn = []
        turn.append((place, one))
    if turn:
        yield turn


def _manifest(ready: JsonObject) -> JsonObject:
    return foreign.mapping(ready.get("manifest"))


async def _submit(context: TaskContext, objects: Objects, ready: JsonObject, place: int) -> JsonObject:
    way, effect = Way(foreign.text_at(ready, "way")), cut_off.effect_of(context, place)
    is_absent = ready.get("is_absent") is True
    return await submitting.submit(objects, _manifest(ready), way, effect=effect, is_absent=is_absent)


def _is_chosen(context: StageContext, manifest: JsonObject) -> bool:
    return selectors.fit(_selectors(context), manifests.labels(manifest))


def _selectors(context: StageContext) -> list[JsonObject]:
    found = foreign.mappings_at(context.stage.context.get("labelSelectors"), "selectors")
    selectors.rendered(found)  # says what is wrong with them
    return found


def _check_selected(context: TaskContext, sent: list[JsonObject]) -> None:
    own = context.stage.context
    if not sent and not foreign.flag(own.get("allowNothingSelected")):
        raise Refused(
            Problem(
                code="manifest.nothing_selected",
                message=f"None of the manifests fits the label selectors {selectors.rendered(_selectors(context))}.",
                remedy="Correct them, or set allowNothingSelected.",
                pointer="/labelSelectors",
            )
        )


def _together(problems: list[Problem]) -> Problem:
    """All of them at once."""
    if len(problems) == 1:
        return problems[0]
    return msgspec.structs.replace(
        problems[0],
        message=" ".join(f"{one.message} ({one.pointer})" for one in problems),
        pointer="",
        details={"problems": [to_json(one) for one in problems]},
    )


async def after(spec: StageSpec, context: StageContext) -> tuple[PlannedStage, ...]:
    """What the stage's traffic strategy does with the versions before."""
    del spec
    return await strategies.stages_after(context)


stage = stability.waiting_for_it(
    StageType(
        name="deployManifest",
        label="Deploy (Manifest)",
        about=__doc__,
        spec=Spec,
        tasks=(
            asking.task("resolveDeploySourceManifest", resolve),
            asking.task("deployManifest", deploy, stop=cut_off.stopped),
            stability.task,
            cleaning.task,
            produced.quiet_task,
        ),
        plan_after=after,
        plans_without_io=False,
        restart_clears=(
            "resolvedManifests",
            "optionalArtifacts",
            "manifestDifferences",
            cut_off.APPLIED,
            cut_off.UNANSWERED,
            half_applied.KEY,
            pruning.TO_PRUNE,
            "prunedManifests",
            *stability.RESTART_CLEARS,
            "outputs.manifests",
            stability.NAMES,
        ),
    )
)
