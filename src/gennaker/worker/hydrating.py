"""Hydrating: what a stored pipeline says with its template, for those who must know its triggers and parameters.

The execution is submitted with the definition as it is stored, and expanded then: its template's reference may depend on
the trigger. One whose template can't be found or doesn't fit is taken as it is stored; its submission says what is wrong.
"""

from datetime import datetime

from gennaker.engine import expanding
from gennaker.interfaces.definitions import Definition, Definitions
from gennaker.model.codec import JsonObject


def stored(definition: Definition) -> JsonObject:
    """The definition as it is submitted."""
    return {**definition.body, "id": definition.id}


async def hydrated(definition: Definition, definitions: Definitions, *, at: datetime) -> JsonObject:
    """The definition with what it inherits."""
    found = await expanding.expanded(stored(definition), {}, definitions, at=at)
    return found.config
