"""What is waited for: the objects in the stage's own context, whatever later stages get to see."""

from tests.harness import problem_of
from tests.kubernetes_cluster import Cluster, config_map, first

from gennaker.model.statuses import Status


def test_a_stage_without_output_waits_all_the_same_and_shows_later_stages_nothing() -> None:
    execution = Cluster().deploy(config_map(mode="fast"), noOutput=True)

    stage = first(execution)
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert stage.outputs == {}
    assert stage.context["outputs.manifestNamesByNamespace"] == {"shop": ["configMap cfg-v000"]}
    assert stage.context["stableManifests"]
