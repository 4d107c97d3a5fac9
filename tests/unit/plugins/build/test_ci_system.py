"""The builder named by a CI stage: parameters, outputs, what it refuses. Its port is in tests/conformance/test_ci.py."""

from pathlib import Path
from typing import Any

import pytest
from tests import building, make
from tests.building import SERVICE
from tests.git_repositories import GitRepository
from tests.harness import Harness, problem_of

from gennaker.model.execution import Execution
from gennaker.model.statuses import Status
from gennaker.plugins.ci.plugin import plugin as ci

BUILD_FILE = "service: shop\nsteps:\n  - name: Note\n    run: [echo, well]\n"


def run(tmp_path: Path, parameters: dict[str, str], **keys: Any) -> Execution:
    base = building.harness(tmp_path / "data")
    harness = Harness(*base.plugins, ci, data=base.data, time=base.time, settings=base.settings)
    stage = make.stage_json("b", type="jenkins", master="builder", job=SERVICE, parameters=dict(parameters), **keys)
    return harness.run(make.config(stage))


@pytest.mark.slow
def test_a_ci_stage_runs_a_build_and_takes_over_its_properties(tmp_path: Path) -> None:
    repository = GitRepository(tmp_path / "repository")
    commit = repository.commit("Begin", {f"{SERVICE}/build.yaml": BUILD_FILE, f"{SERVICE}/VERSION": "1.2.3\n"})

    execution = run(tmp_path, {"repository": str(repository.folder), "branch": "main"}, propertyFile="build.json")

    outputs = next(execution.top_level()).outputs
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert (outputs["version"], outputs["commit"]) == ("1.2.3", commit)


@pytest.mark.parametrize(
    ("parameters", "said"), [({}, "needs the parameter repository"), ({"x": "1"}, "doesn't take x")]
)
def test_what_it_can_t_build_it_refuses(tmp_path: Path, parameters: dict[str, str], said: str) -> None:
    assert said in problem_of(run(tmp_path, parameters))
