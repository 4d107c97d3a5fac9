"""Checking: everything that is wrong with a pipeline or a template, before it is stored."""

from collections.abc import Mapping

from gennaker.engine import expanding, templates, validation
from gennaker.engine.templates import Expanded
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.definitions import Definitions
from gennaker.interfaces.pipelines import Checked
from gennaker.interfaces.stages import StageType
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem


class LocalChecks:
    """Checks by the stage types and templates of this installation."""

    def __init__(self, *, definitions: Definitions, stage_types: Mapping[str, StageType], clock: Clock) -> None:
        """`stage_types` by name and alias."""
        self._definitions = definitions
        self._stage_types = stage_types
        self._clock = clock

    async def pipeline(self, config: JsonObject, *, instead: Mapping[str, JsonObject] | None = None) -> Checked:
        """The definition itself, and what it means with its template."""
        expanded = Expanded(config=config)
        if not _depends_on_trigger(config):
            expanded = await expanding.expanded(config, {}, self._definitions, at=self._clock.now(), instead=instead)
        found = validation.validate(expanded.config, self._stage_types)
        problems = [*expanded.problems, *nameless(config), *found.problems]
        return Checked(problems=tuple(problems), warnings=found.warnings)

    async def expanded(self, config: JsonObject) -> JsonObject:
        """The definition with what it inherits."""
        return (await expanding.expanded(config, {}, self._definitions, at=self._clock.now())).config

    def template(self, template: JsonObject) -> tuple[Problem, ...]:
        """The template by itself."""
        return templates.check(template)


def nameless(config: JsonObject) -> list[Problem]:
    """What must be there before it can be stored."""
    return [_nameless(key, config.get(key)) for key in ("application", "name") if not _is_name(config.get(key))]


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and bool(value)


def _nameless(key: str, value: Json) -> Problem:
    message, remedy = f"The pipeline has no {key}.", f"Give it one, as `{key}`."
    if value is not None and value != "":
        message, remedy = f"The pipeline's `{key}` must be text, not {foreign.described(value)}.", "Write it in quotes."
    return Problem(code=f"pipeline.no_{key}", message=message, remedy=remedy, pointer=f"/{key}")


def _depends_on_trigger(config: JsonObject) -> bool:
    """Which template it is made from is known only when it is started."""
    reference = templates.reference(config) if templates.is_templated(config) else ""
    return isinstance(reference, str) and "${" in reference
