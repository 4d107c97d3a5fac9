"""Bake (Manifest): charts and kustomizations, rendered by the real helm and kubectl, become artifacts."""

import base64
import io
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from tests import make
from tests.fakes.http_target import Answer, Asked, running
from tests.fakes.virtual_time import RealTime
from tests.git_repositories import GitRepository
from tests.harness import Harness, problem_of
from tests.kubernetes_cluster import ACCOUNT, Cluster

from gennaker.baking_settings import BakingSettings
from gennaker.engine import validation
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.artifacts.plugin import plugin as accounts
from gennaker.plugins.bake import bake_manifest
from gennaker.plugins.bake.plugin import plugin
from gennaker.settings import ArtifactAccountSettings, Settings

PROGRAMS = Path(sys.executable).parent
EXPECTED: list[Json] = [{"id": "e", "matchArtifact": {"type": "embedded/base64", "name": "shop-manifests"}}]
CHART = {
    "shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "shop/values.yaml": "tag: none\nreplicas: 1\nhost: none\n",
    "shop/templates/app.yaml": """kind: ConfigMap
metadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}
data:
  tag: {{ .Values.tag | quote }}
  host: {{ .Values.host }}
  replicas: {{ kindOf .Values.replicas }}
  kube: {{ .Capabilities.KubeVersion.Version }}
  has: {{ .Capabilities.APIVersions.Has "example.org/v1" | quote }}
""",
    "shop/templates/tests/connects.yaml": "kind: Pod\nmetadata: {name: connects}\n",
    "shop/crds/crd.yaml": "kind: CustomResourceDefinition\nmetadata: {name: crd}\n",
}
KUSTOMIZATION = {
    "base/kustomization.yaml": "resources: [app.yaml]\n",
    "base/app.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n",
    "prod/kustomization.yaml": "namePrefix: prod-\nresources: [../base]\n",
}


def archive(files: dict[str, str], **links: str) -> str:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as opened:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            opened.addfile(info, io.BytesIO(text.encode()))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            opened.addfile(info)
    return base64.b64encode(written.getvalue()).decode()


def embedded(reference: str, name: str = "chart") -> JsonObject:
    return {"artifact": {"type": "embedded/base64", "name": name, "reference": reference}}


def text(content: str) -> JsonObject:
    return embedded(base64.b64encode(content.encode()).decode(), "values")


def run(tmp_path: Path, *given: JsonObject, settings: JsonObject | None = None, **keys: Any) -> Execution:
    programs: Any = {"helm": str(PROGRAMS / "helm"), "kustomize": str(PROGRAMS / "kubectl"), **(settings or {})}
    hosts = (programs.pop("host"),) if "host" in programs else ()
    git = {"git": ArtifactAccountSettings(type="git", address=programs.pop("git"))} if "git" in programs else {}
    installation = Harness(
        plugin,
        accounts,
        data=tmp_path,
        time=RealTime(),
        settings=Settings(baking=BakingSettings(**programs), webhook_hosts=hosts, artifact_accounts=git),
    )
    stage = make.stage_json(
        "a", type="bakeManifest", **{"inputArtifacts": [*given], "expectedArtifacts": EXPECTED, **keys}
    )
    execution = installation.run(make.config(stage), {"parameters": {"tag": "${1 + 1}"}})
    assert list((tmp_path / "baking").glob("*")) == []
    return execution


def documents(execution: Execution) -> list[Any]:
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    outputs: Any = next(execution.top_level()).outputs
    (artifact,) = outputs["artifacts"]
    assert (artifact["type"], artifact["name"]) == ("embedded/base64", "shop-manifests")
    assert outputs["cloudProvider"] == "kubernetes"
    assert outputs["resolvedExpectedArtifacts"][0]["boundArtifact"]["reference"] == artifact["reference"]
    return list(yaml.safe_load_all(base64.b64decode(artifact["reference"])))


def test_a_chart_with_files_of_values_and_overrides(tmp_path: Path) -> None:
    values = (text("tag: first\nhost: a.example"), text("host: b.example"))
    keys: Any = {
        "templateRenderer": "HELM3",
        "outputName": "shop",
        "namespace": "prod",
        "overrides": {"tag": "${1 + 2}", "replicas": 5},
        "includeCRDs": True,
        "apiVersions": "example.org/v1",
        "kubeVersion": "1.30.2",
    }

    crd, app = documents(run(tmp_path, embedded(archive(CHART)), *values, **keys))

    assert crd["kind"] == "CustomResourceDefinition"
    assert app == {
        "kind": "ConfigMap",
        "metadata": {"name": "shop", "namespace": "prod"},
        "data": {
            "tag": "3",
            "host": "b.example",
            "replicas": "string",
            "kube": "v1.30.2",
            "has": "true",
        },
    }


def test_raw_overrides_have_types_and_what_expressions_leave_is_evaluated_once_more(tmp_path: Path) -> None:
    keys: Any = {
        "templateRenderer": "HELM3",
        "helmChartFilePath": "shop/Chart.yaml",
        "overrides": {"replicas": 5, "tag": "${parameters.tag}"},
        "rawOverrides": True,
        "evaluateOverrideExpressions": True,
    }

    (app,) = documents(run(tmp_path, embedded(archive(CHART)), **keys))

    assert (app["data"]["replicas"], app["data"]["tag"]) == ("int64", "2")


def test_a_kustomization_in_an_archive_by_the_kustomize_of_kubectl(tmp_path: Path) -> None:
    given = embedded(archive(KUSTOMIZATION))

    (app,) = documents(run(tmp_path, given, templateRenderer="KUSTOMIZE4", kustomizeFilePath="prod/kustomization.yaml"))

    assert app["metadata"]["name"] == "prod-app"


def test_a_kustomization_at_an_address_is_read_with_what_lies_beside_it(tmp_path: Path) -> None:
    def respond(asked: Asked) -> Answer:
        found = KUSTOMIZATION.get(asked.path.removeprefix("/r/"))
        return Answer(status=404) if found is None else Answer(body=found.encode())

    with running(respond) as target:
        artifact: JsonObject = {"type": "http/file", "reference": f"{target.url}/r/prod/kustomization.yaml"}
        host: JsonObject = {"host": target.url.removeprefix("http://")}
        execution = run(tmp_path, settings=host, templateRenderer="KUSTOMIZE", inputArtifact={"artifact": artifact})

    (app,) = documents(execution)
    assert app["metadata"]["name"] == "prod-app"


def test_what_was_rendered_is_deployed_by_the_next_stage(tmp_path: Path) -> None:
    cluster = Cluster()
    installation = cluster.harness
    installation.plugins = (*installation.plugins, plugin)
    baking = BakingSettings(helm=str(PROGRAMS / "helm"))
    installation.settings = replace(installation.settings, baking=baking)
    installation.data, installation.time = tmp_path, RealTime()
    chart = {
        **CHART,
        "shop/templates/app.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n",
    }
    bakes = make.stage_json(
        "a",
        type="bakeManifest",
        templateRenderer="HELM3",
        outputName="shop",
        inputArtifacts=[embedded(archive(chart))],
        expectedArtifacts=EXPECTED,
    )
    deploys = make.stage_json(
        "b",
        "a",
        type="deployManifest",
        account=ACCOUNT,
        source="artifact",
        manifestArtifactId="e",
        moniker={"app": "shop"},
    )

    execution = installation.run(make.config(bakes, deploys, application="shop"))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.names("configmaps") == ["shop-v000"]


def test_a_kustomization_in_a_git_repository_by_its_account(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "team" / "shop")
    repository.commit("Begin", KUSTOMIZATION)
    artifact: JsonObject = {"type": "git/repo", "reference": str(repository.folder), "version": "main"}
    given: JsonObject = {"account": "git", "artifact": artifact}
    settings: JsonObject = {"git": f"{tmp_path}/team/"}

    (app,) = documents(run(tmp_path, given, settings=settings, templateRenderer="KUSTOMIZE", kustomizeFilePath="prod"))

    assert app["metadata"]["name"] == "prod-app"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"overrides": {"host": "a: b: c"}}, "helm ended with status 1: Error: "),
        (
            {"settings": {"helm": "no-such-helm"}},
            "The program no-such-helm, which renders this stage's manifests, isn't",
        ),
        ({"templateRenderer": "HELM2"}, "or say where it is by the setting baking.helm2."),
        ({"helmChartFilePath": "../x"}, "leads out of the artifact"),
        ({"helmChartFilePath": "none"}, "isn't in the artifact"),
        ({"inputArtifacts": [text("a: 1")]}, "is no chart"),
        ({"inputArtifacts": [{"id": "e7"}]}, "No artifact is bound to the expected artifact 'e7'"),
        (
            {"inputArtifacts": [embedded(archive({}, evil="/etc/passwd"))], "helmChartFilePath": "."},
            "the link evil leads out",
        ),
        ({"overrides": {"a": {"b": 1}}}, "The override 'a' is no single value."),
        ({"templateRenderer": "KUSTOMIZE", "inputArtifacts": [text("resources: [https://x/y]")]}, "isn't beside it"),
        ({"templateRenderer": "KUSTOMIZE", "kustomizeFilePath": "shop"}, "shop has no kustomization.yaml"),
    ],
)
def test_what_cannot_be_rendered_says_why(tmp_path: Path, keys: Any, said: str) -> None:
    execution = run(tmp_path, **{"templateRenderer": "HELM3", "inputArtifacts": [embedded(archive(CHART))], **keys})

    assert execution.head.status is Status.TERMINAL
    assert said in problem_of(execution)
    assert str(tmp_path) not in problem_of(execution)


def test_what_is_missing_is_said_when_the_pipeline_is_saved() -> None:
    found = list(bake_manifest.check({"templateRenderer": "HELM"}))

    assert [one.pointer for one in found] == ["/templateRenderer", "/expectedArtifacts", "/inputArtifacts"]
    assert found[0].message == "There is no renderer 'HELM'."


def test_renderers_are_known_in_any_case(tmp_path: Path) -> None:
    assert "is no chart" in problem_of(run(tmp_path, text("a: 1"), templateRenderer="helm3"))
    assert "kustomization.yaml has the key 'a'" in problem_of(
        run(tmp_path, text("a: 1"), templateRenderer="Kustomize4")
    )


def test_a_renderer_of_spinnaker_that_is_not_here_is_warned_of_and_refused_when_it_runs(tmp_path: Path) -> None:
    stage = make.stage_json("a", type="bakeManifest", templateRenderer="HELMFILE", expectedArtifacts=EXPECTED)
    config = make.config({**stage, "inputArtifacts": [embedded("")]})

    validated = validation.validate(config, {"bakeManifest": bake_manifest.stage})
    execution = run(tmp_path, embedded(""), templateRenderer="HELMFILE")

    assert validated.problems == ()
    assert [(one.code, one.pointer) for one in validated.warnings] == [("bake.renderer", "/stages/0/templateRenderer")]
    assert "The renderer HELMFILE isn't offered here." in problem_of(execution)


@pytest.mark.parametrize(
    ("script", "said"), [("sleep 60", "did not finish within 0.3 s"), ("exec yes", "wrote more than 10,000,000 bytes")]
)
def test_a_program_that_never_ends_is_stopped(tmp_path: Path, script: str, said: str) -> None:
    helm = tmp_path / "helm"
    helm.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin {script}\n")
    helm.chmod(0o755)
    settings: JsonObject = {"helm": str(helm), "timeout_seconds": 0.3 if "sleep" in script else 60.0}

    execution = run(tmp_path, embedded(archive(CHART)), templateRenderer="HELM3", settings=settings)

    assert said in problem_of(execution)
