"""Values that expressions give: whatever they are, a stage works or says what is wrong; nothing breaks."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import documents
from tests.fakes.rollouts import FakePlace
from tests.harness import problem_of

from gennaker.model.codec import Json, JsonObject
from gennaker.plugins.analysis import plugin as analysis
from gennaker.plugins.ci import plugin as ci
from gennaker.plugins.definitions import plugin as definitions
from gennaker.plugins.webhook import plugin as webhook

PLUGINS = (analysis.plugin, ci.plugin, definitions.plugin, webhook.plugin)
GIVEN = "${ trigger.parameters.given }"
KINDS = [one for one in documents.STAGES if one["type"] not in {"noop", "build"}]
"""`build` asks git, `noop` says nothing."""


@st.composite
def evaluated(draw: st.DrawFn) -> tuple[JsonObject, Json]:
    """A pipeline that deploys and then does something else, somewhere in which stands what an expression gives, and what that is."""
    stage = draw(st.sampled_from(KINDS))
    place = draw(st.sampled_from([one for one in documents.places(stage) if one != "/type"]))
    changed = documents.changed(stage, place, GIVEN)
    assert isinstance(changed, dict)
    return documents.pipeline(documents.DEPLOY, {**changed, "requisiteStageRefIds": ["0"]}), draw(documents.VALUES)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(evaluated())
def test_what_an_expression_gives_breaks_nothing(found: tuple[JsonObject, Json]) -> None:
    pipeline, value = found
    del pipeline["expectedArtifacts"]

    execution = FakePlace(*PLUGINS).run(pipeline, trigger={"parameters": {"given": value}})

    assert execution.head.status.is_complete
    said = problem_of(execution)
    assert "Unexpected failure" not in said, said
    assert "fault in" not in said, said
