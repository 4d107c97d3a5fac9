"""Pipelines as definitions: what is wrong with one, for those who save them and know no engine."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    problems: tuple[Problem, ...] = ()
    """It can't be saved or run."""
    warnings: tuple[Problem, ...] = ()
    """It can, but this will go wrong unless something else changes."""


class PipelineChecks(Protocol):
    """The engine's judgment of definitions. Nothing is stored."""

    async def pipeline(self, config: JsonObject, *, instead: Mapping[str, JsonObject] | None = None) -> Checked:
        """A pipeline, expanded where it is made from a template; `instead` stands in for stored templates, by key."""
        ...

    async def expanded(self, config: JsonObject) -> JsonObject:
        """A pipeline with what its template gives it; as it is where it has none, or none that fits."""
        ...

    def template(self, template: JsonObject) -> tuple[Problem, ...]:
        """A pipeline template by itself."""
        ...
