"""Where the manifests of a stage come from."""

import base64
import json
from typing import Any

import pytest
from tests.harness import problem_of
from tests.kubernetes_cluster import Cluster, config_map, first

from gennaker.model.statuses import Status


def test_an_embedded_artifact_is_read_as_yaml_and_its_expressions_evaluated() -> None:
    cluster = Cluster()
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 'cfg-${ 1 + 1 }'}\ndata: {since: 2026-01-01}\n---\n---\n"
    artifact = {"type": "embedded/base64", "reference": base64.b64encode(text.encode()).decode()}

    execution = cluster.run("deployManifest", source="artifact", manifestArtifact=artifact)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.object("configmaps", "cfg-2-v000")["data"] == {"since": "2026-01-01"}


def test_a_list_among_the_manifests_is_opened() -> None:
    cluster = Cluster()

    execution = cluster.deploy([config_map("a"), [config_map("b")]], config_map("c"))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert cluster.api.names("configmaps") == ["a-v000", "b-v000", "c-v000"]


@pytest.mark.parametrize("keys", [{}, {"noOutput": True}], ids=["", "without output"])
def test_later_stages_see_the_manifests_as_they_were_fetched(keys: dict[str, Any]) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"key": "hidden"}}
    text = json.dumps(config_map()) + "\n---\n" + json.dumps(secret)
    artifact = {"type": "embedded/base64", "reference": base64.b64encode(text.encode()).decode()}

    execution = Cluster().run("deployManifest", source="artifact", manifestArtifact=artifact, **keys)

    shown = [config_map(), {**secret, "metadata": {"name": "s", "annotations": {}}}]
    del shown[1]["stringData"]
    stage = first(execution)
    assert stage.context["manifests"] == shown
    assert stage.outputs.get("manifests") == (None if keys else shown)


def test_the_account_of_the_stage_wins_over_that_of_its_manifest_artifact() -> None:
    artifact = {"type": "github/file", "reference": "http://files/web.yml", "artifactAccount": "somebody"}

    execution = Cluster().run(
        "deployManifest", source="artifact", manifestArtifact=artifact, manifestArtifactAccount="nobody"
    )

    assert "the account 'nobody'" in problem_of(execution)


@pytest.mark.parametrize(("skips", "value"), [(True, "${ 1 + 1 }"), (False, "2")])
def test_manifests_in_the_stage_stay_as_written_where_that_is_wanted(skips: bool, value: str) -> None:
    cluster = Cluster()

    cluster.deploy(config_map(sum="${ 1 + 1 }"), skipExpressionEvaluation=skips)

    assert str(cluster.api.object("configmaps", "cfg-v000")["data"]["sum"]) == value
