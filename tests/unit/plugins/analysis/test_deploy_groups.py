"""Deploy Canary Server Groups: what the stage says where it stands by itself; the rest is seen with the whole analysis."""

from tests.make import stage_json

from gennaker.interfaces.plugins import Plugin
from gennaker.model.codec import JsonObject
from gennaker.plugins.analysis import deploy_groups
from gennaker.testing import simulating


def test_a_stage_without_deployments_says_so() -> None:
    stage = stage_json("1", type="deployCanaryServerGroups", name="Deploy")
    config: JsonObject = {"application": "shop", "name": "p", "stages": [stage]}

    found = simulating.simulate(config, plugins=(Plugin(name="parts", stages=(deploy_groups.stage,)),))

    assert [one.note for one in found.timeline] == ["Stage Deploy doesn't say what it deploys."]
