"""Leftovers: what a Spinnaker could still start of an application after its cut-over, in words."""

from collections.abc import Iterable, Iterator

from gennaker.migration import bundle as bundles
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.foreign import mappings_at, text_at

_TOLD_BY = ("cronExpression", "source", "slug", "branch", "master", "job", "repository", "tag", "subscriptionName")
"""Keys that tell a trigger from others, for people."""


def of_application(application: str, pipelines: Iterable[JsonObject], running: Iterable[JsonObject]) -> tuple[str, ...]:
    """`pipelines` are all of that Spinnaker, `running` the application's executions that are not over."""
    listed = list(pipelines)
    own = [one for one in listed if text_at(one, "application").lower() == application.lower()]
    others = [one for one in listed if one not in own]
    return (*_running(running), *_triggers(own), *_callers(own, others), *_by_hand(own))


def _running(running: Iterable[JsonObject]) -> Iterator[str]:
    for one in running:
        yield f"The execution {text_at(one, 'id')} of {text_at(one, 'name')} is {text_at(one, 'status')} there."


def _triggers(own: Iterable[JsonObject]) -> Iterator[str]:
    for pipeline in own:
        for trigger in bundles.triggers_on(pipeline):
            told = ", ".join(str(trigger[key]) for key in _TOLD_BY if trigger.get(key))
            by = f" ({told})" if told else ""
            yield f"The pipeline {text_at(pipeline, 'name')} has a {text_at(trigger, 'type')} trigger that is on{by}."


def _callers(own: Iterable[JsonObject], others: Iterable[JsonObject]) -> Iterator[str]:
    """Pipelines of other applications with a stage that starts one of these."""
    names = {text_at(one, "id"): text_at(one, "name") for one in own if not _is_disabled(one)}
    for caller in others:
        called = {
            text_at(stage, "pipeline")
            for stage in mappings_at(caller, "stages")
            if text_at(stage, "type") == "pipeline" and not _is_disabled(caller)
        }
        for pipeline_id in sorted(called & set(names)):
            whose = f"{text_at(caller, 'application')}: {text_at(caller, 'name')}"
            yield f"The pipeline {whose} starts {names[pipeline_id]} by a stage."


def _by_hand(own: Iterable[JsonObject]) -> Iterator[str]:
    for pipeline in own:
        if not _is_disabled(pipeline):
            yield f"The pipeline {text_at(pipeline, 'name')} isn't disabled: people can start it."


def _is_disabled(pipeline: JsonObject) -> bool:
    return foreign.flag(pipeline.get("disabled"))
