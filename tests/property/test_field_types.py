"""Field types: whatever stands wherever in a definition, it is saved, or refused with places that exist; nothing breaks."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import documents
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker import app
from gennaker.canary import lint
from gennaker.engine import validation
from gennaker.model.codec import Json

PLUGINS = app.installed_plugins()
STAGES = {one.name: one for plugin in PLUGINS for one in plugin.stages}
PIPELINE = documents.pipeline(*documents.STAGES)
SOURCES = {*lint.QUERY_TYPES, "embedded"}


def test_the_documents_are_right() -> None:
    assert validation.validate(PIPELINE, STAGES).problems == ()
    assert [one.code for one in validation.validate(PIPELINE, STAGES).warnings] == ["stage.unknown_type"]
    assert lint.lint(documents.CANARY_CONFIG, query_types=SOURCES) == ()


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(documents.disturbed(PIPELINE))
def test_what_is_wrong_with_a_pipeline_has_a_place_in_it(found: Any) -> None:
    validated = validation.validate(found, STAGES)

    for problem in (*validated.problems, *validated.warnings):
        assert documents.is_somewhere(found, problem.pointer), problem


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(documents.disturbed(documents.CANARY_CONFIG))
def test_what_is_wrong_with_a_canary_config_has_a_place_in_it(found: Json) -> None:
    for finding in lint.lint(found, query_types=SOURCES, scope_names={"default"}):
        assert documents.is_somewhere(found, finding.problem.pointer), finding


@pytest.mark.slow
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(documents.disturbed(PIPELINE), min_size=10, max_size=10),
    st.lists(documents.disturbed(documents.CANARY_CONFIG), min_size=5, max_size=5),
)
def test_the_api_saves_or_says_what_is_wrong_and_where(pipelines: list[Any], configs: list[Any]) -> None:
    async def work(site: Website) -> None:
        for document in pipelines:
            for path in ("/api/v1/pipelines", "/pipelines"):
                await saved_or_refused(site, path, document)
        for document in configs:
            await saved_or_refused(site, "/api/v1/canary-configs", document)

    visit(work, harness=Harness(*PLUGINS, runs_services=False))


async def saved_or_refused(site: Website, path: str, document: Any) -> None:
    before = (await site.get("/api/v1/pipelines")).json
    answer = await site.post(path, document)
    assert answer.status in {200, 400, 422}, (answer.status, answer.body, document)
    if answer.status == 200:
        return
    problems = answer.json["problems"]
    assert problems
    for problem in problems:
        assert documents.is_somewhere(document, problem.get("pointer", "")), (problem, document)
    assert (await site.get("/api/v1/pipelines")).json == before
