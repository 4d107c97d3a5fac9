"""References: pipelines and canary configs that imported pipelines name by id, and that are nowhere."""

from collections.abc import Iterable, Iterator

from gennaker.migration import gaps
from gennaker.migration.gaps import Gap, Weight
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import text_at
from gennaker.model.problems import Problem

_CANARIES = frozenset({"kayentaCanary", "canary"})


def missing(pipelines: Iterable[JsonObject], *, known: frozenset[str], canary_configs: frozenset[str]) -> Iterator[Gap]:
    """`known`: ids of all pipelines that are here, or about to be."""
    for pipeline in pipelines:
        subject = gaps.subject_of("pipeline", pipeline)
        for place, stage in _listed(pipeline.get("stages")):
            if text_at(stage, "type") == "pipeline" and _is_missing(stage.get("pipeline"), known):
                yield subject.gap(Weight.STOPS, _no_pipeline(stage, f"/stages/{place}/pipeline"))
            config = foreign.mapping(stage.get("canaryConfig")).get("canaryConfigId")
            if text_at(stage, "type") in _CANARIES and _is_missing(config, canary_configs):
                yield subject.gap(Weight.STOPS, _no_config(str(config), f"/stages/{place}/canaryConfig/canaryConfigId"))
        for place, trigger in _listed(pipeline.get("triggers")):
            if text_at(trigger, "type") == "pipeline" and _is_missing(trigger.get("pipeline"), known):
                yield subject.gap(Weight.DIFFERS, _no_pipeline(trigger, f"/triggers/{place}/pipeline"))


def _listed(value: Json) -> Iterator[tuple[int, JsonObject]]:
    yield from ((place, one) for place, one in enumerate(foreign.items(value)) if isinstance(one, dict))


def _is_missing(value: Json, known: frozenset[str]) -> bool:
    return isinstance(value, str) and bool(value) and "${" not in value and value not in known


def _no_pipeline(named: JsonObject, pointer: str) -> Problem:
    of = text_at(named, "application")
    whose = f" of the application {of}" if of else ""
    return Problem(
        code="pipeline.missing",
        message=f"It names a pipeline{whose} by the id {named['pipeline']!r}, which is not here.",
        remedy="Import that application as well, or name another pipeline.",
        pointer=pointer,
    )


def _no_config(config: str, pointer: str) -> Problem:
    return Problem(
        code="canary_config.missing",
        message=f"There is no canary config {config!r} here.",
        remedy="Import it, or name another one.",
        pointer=pointer,
    )
