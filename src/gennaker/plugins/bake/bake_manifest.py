"""Bake (Manifest): renders a Helm chart or a kustomization into manifests, as an artifact for a Deploy (Manifest) stage."""

import asyncio
import base64
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gennaker.interfaces import produced
from gennaker.interfaces.artifacts import ArtifactUnavailable
from gennaker.interfaces.stages import StageSpec, StageType, TaskContext, TaskType
from gennaker.model import foreign, records
from gennaker.model.artifact import ExpectedArtifactKeys, Plain
from gennaker.model.codec import Json, JsonObject
from gennaker.model.event import Done, Failed, TaskResult
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.bake import helm, inputs, kustomizations, programs
from gennaker.plugins.bake.inputs import Input

_HELM = ("HELM3", "HELM2")
_KUSTOMIZE = ("KUSTOMIZE", "KUSTOMIZE4", "KUSTOMIZE5")
_NOT_HERE = ("HELMFILE", "CF")
_TYPE = "embedded/base64"
_ACCOUNT = "embedded-artifact"
_REPOSITORY = "git/repo"


class Spec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """The stage's JSON."""

    template_renderer: str = ""
    """HELM3, HELM2, KUSTOMIZE, KUSTOMIZE4 or KUSTOMIZE5."""
    input_artifacts: tuple[Input, ...] | None = ()
    """The chart, then files of values; of Kustomize the kustomization."""
    input_artifact: Input | None = None
    """The only one, where there is no list."""
    expected_artifacts: tuple[ExpectedArtifactKeys, ...] = ()
    """Exactly one: what is made bears its name."""
    output_name: Plain | None = ""
    """Of the release."""
    namespace: Plain | None = ""
    overrides: JsonObject | None = None
    raw_overrides: bool | None = False
    """Values as Helm reads them; else all are text."""
    evaluate_override_expressions: bool | None = False
    """Expressions that are in overrides when the manifests are rendered are evaluated once more."""
    include_crds: bool | None = msgspec.field(name="includeCRDs", default=False)
    api_versions: tuple[str, ...] | str | None = ()
    kube_version: Plain | None = ""
    helm_chart_file_path: str | None = ""
    """Folder of the chart in an archive that holds more."""
    kustomize_file_path: str | None = ""
    """The kustomization in a repository."""


def check(stage: JsonObject) -> Iterator[Problem]:
    """What can be said before anything is there."""
    if _renderer(stage) not in (*_HELM, *_KUSTOMIZE, *_NOT_HERE):
        renderer = foreign.text_at(stage, "templateRenderer")
        yield _no_renderer(f"There is no renderer {renderer!r}" if renderer else "The stage names no templateRenderer")
    if len(foreign.items(stage.get("expectedArtifacts"))) != 1:
        yield Problem(
            code="bake.expected",
            message=f"The stage produces one artifact and expects {len(foreign.items(stage.get('expectedArtifacts')))}.",
            remedy="Give `expectedArtifacts` (Produces Artifacts) exactly one entry, of the type embedded/base64.",
            pointer="/expectedArtifacts",
        )
    if not foreign.items(stage.get("inputArtifacts")) and not stage.get("inputArtifact"):
        yield Problem(
            code="bake.no_input",
            message="The stage names no input artifact.",
            remedy="Give `inputArtifacts`: the chart and files of values, or the kustomization.",
            pointer="/inputArtifacts",
        )


def warn(stage: JsonObject) -> Iterator[Problem]:
    """A renderer that Spinnaker has."""
    if (renderer := _renderer(stage)) in _NOT_HERE:
        yield _no_renderer(f"The renderer {renderer} isn't offered here")


def _renderer(stage: JsonObject) -> str:
    """In upper case: Orca takes any."""
    return foreign.text_at(stage, "templateRenderer").upper()


async def bake(context: TaskContext) -> TaskResult:
    """Renders once; asks again for artifacts that nobody gives now."""
    own = context.stage.context
    if found := [*check(own), *warn(own)]:
        raise Refused(*found, status=422)
    spec = records.demanded(own, Spec, of=f"stage {context.stage.name}")
    folder = context.services.data / "baking" / hashlib.sha256(context.key.encode()).hexdigest()[:24]
    await asyncio.to_thread(_make_anew, folder)
    try:
        text = await _rendered(context, spec, folder)
    except ArtifactUnavailable as error:
        problem = Problem(code="bake.unavailable", message=f"An input artifact can't be read now: {error}")
        return Failed(problem=problem, retryable=True)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    artifact: JsonObject = {
        "type": _TYPE,
        "artifactAccount": _ACCOUNT,
        "name": str(spec.expected_artifacts[0].match_artifact.name),
        "reference": base64.b64encode(text.encode()).decode(),
    }
    made: JsonObject = {"artifacts": [artifact], "cloudProvider": "kubernetes"}
    return Done(context=made, outputs=made)


async def _rendered(context: TaskContext, spec: Spec, folder: Path) -> str:
    settings = context.services.settings.baking
    meant = [inputs.meant(context, one) for one in spec.input_artifacts or (spec.input_artifact or Input(),)]
    renderer = _renderer(context.stage.context)
    if renderer in _KUSTOMIZE:
        program = programs.kustomize(settings)
        start = await _kustomization(context, spec, meant, folder)
        return await programs.run(program, (str(start),), folder, seconds=settings.timeout_seconds)
    is_second = renderer == "HELM2"
    program = programs.helm2(settings) if is_second else programs.helm(settings)
    chart = await _chart(context, spec, meant, folder)
    words = helm.words(chart, is_second=is_second)
    return helm.without_tests(await programs.run(program, words, folder, seconds=settings.timeout_seconds))


async def _chart(context: TaskContext, spec: Spec, meant: list[JsonObject], folder: Path) -> helm.Chart:
    overrides = _overrides(context, spec)
    first, *rest = meant
    data = await inputs.content(context, first)
    if not inputs.is_archive(data):
        raise Refused(_no_chart(first), status=422)
    path = spec.helm_chart_file_path or ""
    if path or foreign.text_at(first, "type") == _REPOSITORY:
        await inputs.unpack(data, folder / "chart", name=inputs.named(first))
        found = inputs.inside(folder / "chart", path, key="helmChartFilePath")
        chart = found.parent if found.is_file() else found
    else:
        chart = folder / "chart.tgz"
        await asyncio.to_thread(chart.write_bytes, data)
    values = []
    for number, artifact in enumerate(rest):
        file = folder / f"values-{number}.yaml"
        await asyncio.to_thread(file.write_bytes, await inputs.content(context, artifact))
        values.append(str(file))
    return helm.Chart(
        path=str(chart),
        values=tuple(values),
        output_name=_text(spec.output_name),
        namespace=_text(spec.namespace),
        overrides=overrides,
        raw_overrides=bool(spec.raw_overrides),
        include_crds=bool(spec.include_crds),
        api_versions=helm.listed(spec.api_versions),
        kube_version=_text(spec.kube_version),
    )


def _overrides(context: TaskContext, spec: Spec) -> JsonObject:
    overrides: Json = spec.overrides or {}
    if spec.evaluate_override_expressions:
        evaluated = context.sight.evaluate(overrides)
        if evaluated.failed:
            message = f"Expressions in the overrides failed: {'; '.join(evaluated.failed)}"
            raise Refused(Problem(code="bake.expressions", message=message, pointer="/overrides"), status=422)
        overrides = evaluated.value
    found = foreign.mapping(overrides)
    if wrong := helm.wrong_overrides(found):
        raise Refused(*wrong, status=422)
    return found


async def _kustomization(context: TaskContext, spec: Spec, meant: list[JsonObject], folder: Path) -> Path:
    """The folder that is to be built, with nothing in it that leads elsewhere."""
    artifact, files = meant[0], folder / "files"
    data = await inputs.content(context, artifact)
    if foreign.text_at(artifact, "type") == _REPOSITORY or inputs.is_archive(data):
        await inputs.unpack(data, files, name=inputs.named(artifact))
        found = inputs.inside(files, spec.kustomize_file_path or "", key="kustomizeFilePath")
        start = found.parent if found.is_file() else found
    else:
        start = await _gathered(context, artifact, data, files)
    await asyncio.to_thread(kustomizations.check, files, start)
    return start


async def _gathered(context: TaskContext, artifact: JsonObject, data: bytes, files: Path) -> Path:
    """From an artifact that is the kustomization alone: with what lies beside it, by the same account."""
    address = foreign.text_at(artifact, "reference")
    if foreign.text_at(artifact, "type") == _TYPE:
        address = f"embedded:///{kustomizations.NAMES[0]}"
    if address.partition("?")[0].rpartition("/")[2] not in kustomizations.NAMES:
        raise Refused(_no_kustomization(artifact), status=422)

    async def read(beside: str) -> bytes:
        if beside.startswith("embedded:"):
            raise Refused(_no_kustomization(artifact), status=422)
        return await inputs.content(context, {**artifact, "reference": beside})

    return await kustomizations.gather(address, data, files, read)


def _make_anew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was cut off
    folder.mkdir(parents=True, mode=0o700)


def _text(value: Plain | None) -> str:
    return "" if value is None else str(value)


def _no_renderer(said: str) -> Problem:
    return Problem(
        code="bake.renderer",
        message=f"{said}.",
        remedy=f"Use one of {', '.join((*_HELM, *_KUSTOMIZE))}; anything else is rendered in a build or script stage.",
        pointer="/templateRenderer",
    )


def _no_chart(artifact: JsonObject) -> Problem:
    return Problem(
        code="bake.no_chart",
        message=f"The first input artifact, {inputs.named(artifact)!r}, is no chart: it should be a gzipped tar archive.",
        remedy="Put the chart (`helm package`, or an archive of the repository with helmChartFilePath) first, files of values after it.",
        pointer="/inputArtifacts/0",
    )


def _no_kustomization(artifact: JsonObject) -> Problem:
    return Problem(
        code="bake.no_kustomization",
        message=f"The input artifact {inputs.named(artifact)!r} is neither an archive nor a kustomization beside its files.",
        remedy="Give a git/repo artifact with kustomizeFilePath, an archive, or a file named kustomization.yaml.",
        pointer="/inputArtifacts/0",
    )


stage = StageType(
    name="bakeManifest",
    label="Bake (Manifest)",
    about=__doc__,
    spec=Spec,
    check=check,
    warn=warn,
    tasks=(TaskType(name="createBake", run=bake), produced.task),
    restart_clears=("artifacts", "resolvedExpectedArtifacts"),
    runs_in_dry_run=True,
)
