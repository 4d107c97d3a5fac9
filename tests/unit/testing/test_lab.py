"""The lab: real stage types against providers in memory, faults, and files."""

from pathlib import Path

import pytest
from tests.make import stage_json

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.deploy.plugin import plugin as deploy
from gennaker.testing import lab
from gennaker.testing.lab import Lab

IMAGE = "registry/shop@sha256:one"
CLUSTER: JsonObject = {
    "account": "local",
    "region": "local",
    "cloudProvider": "fake",
    "application": "shop",
    "strategy": "redblack",
    "capacity": {"min": 2, "max": 2, "desired": 2},
    "loadBalancers": ["shop"],
    "image": IMAGE,
    "upTimeout": "PT1M",
}
DEPLOY: JsonObject = {
    "application": "shop",
    "name": "p",
    "stages": [stage_json("a", type="deploy", clusters=[CLUSTER])],
}


def test_a_plugins_stages_run_for_real_against_the_providers_in_memory() -> None:
    found = Lab()
    found.cloud.images.add(IMAGE)

    run = found.run(DEPLOY, plugins=(deploy,))

    assert run.statuses() == {"a": "SUCCEEDED"}
    assert [len(group.instances) for group in found.cloud.groups.values()] == [2]
    assert [share.weight for share in found.balancers["shop"].shares.values()] != []


def test_a_fault_at_the_provider_fails_the_stage_and_is_seen() -> None:
    found = Lab()
    found.cloud.images.add(IMAGE)
    found.faults.never_up.add(IMAGE)

    run = found.run(DEPLOY, plugins=(deploy,))

    assert run.statuses() == {"a": "TERMINAL"}
    assert found.cloud.groups == {}


def test_a_pipeline_is_read_from_json_or_yaml(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("{application: shop, name: p, stages: [{refId: '1', type: wait, name: w, waitTime: 60}]}")

    assert Lab().run(file).statuses() == {"w": "SUCCEEDED"}


def test_a_file_that_is_not_there_is_said_in_plain_words(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"none\.yaml can't be read: No such file or directory\.$"):
        lab.load(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["[]", "{}", ":"])
def test_what_is_no_pipeline_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(text)

    with pytest.raises(Refused):
        lab.load(file)
