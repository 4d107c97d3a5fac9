"""The lab: what the fixture `gennaker` gives: run a pipeline on virtual time, with providers in memory and faults.

def test_a_bad_canary_is_rolled_back(gennaker):
run = gennaker.run("pipelines/deliver.json", stages={"Canary": {"status": "TERMINAL", "duration": "1h"}})
assert run.statuses()["Roll back"] == "SUCCEEDED"
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from gennaker.interfaces.clouds import Place
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.stages import StageType
from gennaker.model import plain_yaml
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.testing import outcomes, simulating
from gennaker.testing.clouds import CloudState, FakeCloud
from gennaker.testing.coverage import Coverage
from gennaker.testing.faults import Faults, FaultyCloud, FaultyTraffic
from gennaker.testing.simulating import Run
from gennaker.testing.traffic import FakeBalancer, FakeTraffic

PLACE = Place(account="local", region="local")
"""Where the cloud provider `fake` has its server groups."""


class Lab:
    """Runs pipelines; what its cloud and load balancers hold stays from run to run."""

    def __init__(self, *, coverage: Coverage | None = None, known: Mapping[str, StageType] | None = None) -> None:
        """`known`: stage types by name, for what restarts clear."""
        self.cloud = CloudState()
        self.balancers: dict[str, FakeBalancer] = {}
        self.faults = Faults()
        """What goes wrong at the providers: `faults.refuse("create")`, `faults.never_up.add(image)` …"""
        self.coverage = coverage or Coverage()
        self._known = known
        self._begun: dict[str, datetime] = {}

    def run(self, pipeline: JsonObject | str | Path, *, plugins: tuple[Plugin, ...] = (), **declared: object) -> Run:
        """Runs a pipeline (JSON, or the path of a JSON or YAML file) with declared outcomes to its end.

        `plugins` run for real against the cloud and traffic providers `fake`; all other stages end as declared.
        """
        config = pipeline if isinstance(pipeline, dict) else load(Path(pipeline))
        given = outcomes.read(msgspec.to_builtins(declared))
        real = (*plugins, self._providers()) if plugins else ()
        run = simulating.simulate(config, given, plugins=real, known=self._known)
        self.coverage.add(config, run.execution)
        return run

    def _providers(self) -> Plugin:
        return Plugin(
            name="fakes",
            clouds=(
                lambda services: FaultyCloud(FakeCloud(self.cloud, PLACE), self.faults, services.clock, self._begun),
            ),
            traffic=(lambda _: FaultyTraffic(FakeTraffic(self.balancers), self.faults),),
        )


def load(file: Path) -> JsonObject:
    """A pipeline from a JSON or YAML file. Raises Refused."""
    try:
        found = plain_yaml.read(file.read_bytes())
    except (OSError, plain_yaml.NotPlain) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise Refused(Problem(code="file.unreadable", message=f"{file} can't be read: {said}.")) from error
    if not isinstance(found, dict) or not ("stages" in found or "job" in found):
        raise Refused(
            Problem(code="file.not_pipeline", message=f"{file} holds no pipeline.", remedy="It needs `stages`.")
        )
    return found
