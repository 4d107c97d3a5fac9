"""Samples: a metric set pair as the judge reads it, the two lists of values as arrays.

Samples have no order in time for the judge and the two sides may differ in length. A null sample is 0.0, as in
Kayenta; only the text "NaN" (or a float NaN of a caller in Python) is a missing one.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from gennaker.canary import coercion
from gennaker.canary.coercion import Unreadable
from gennaker.canary.errors import InvalidSamples
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject

Samples: TypeAlias = NDArray[np.float64]
"""(n,) float64; NaN = missing, infinities are values."""

MetricSetPairs: TypeAlias = "Json | Sequence[JsonObject]"
"""A list of metric set pairs in Kayenta's JSON form."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One couple of time series to be compared."""

    name: str | None
    id: str | None
    tags: JsonObject
    control: Samples
    experiment: Samples


def read_pairs(document: MetricSetPairs) -> tuple[Pair, ...]:
    """Reads a list of metric set pairs. Raises `InvalidSamples`."""
    if isinstance(document, str) or not isinstance(document, Sequence):
        raise InvalidSamples(f"The metric set pairs must be a list, not {foreign.described(document)}.")
    return tuple(_pair(item, f"/{index}") for index, item in enumerate(document))


def _pair(document: Json, pointer: str) -> Pair:
    if not isinstance(document, Mapping):
        message = f"A metric set pair must be an object, not {foreign.described(document)}."
        raise InvalidSamples(message, pointer=pointer)
    values = document.get("values")
    if not isinstance(values, Mapping):
        message = f"The values of a metric set pair must be an object, not {foreign.described(values)}."
        raise InvalidSamples(message, pointer=f"{pointer}/values")
    return Pair(
        name=_text(document, "name", pointer),
        id=_text(document, "id", pointer),
        tags=_tags(document.get("tags"), f"{pointer}/tags"),
        control=_side(values, "control", pointer),
        experiment=_side(values, "experiment", pointer),
    )


def _text(document: Mapping[str, Json], key: str, pointer: str) -> str | None:
    try:
        return coercion.text(document.get(key))
    except Unreadable as error:
        raise InvalidSamples(f"'{key}' must be a text, not {error}.", pointer=f"{pointer}/{key}") from error


def _tags(document: Json, pointer: str) -> JsonObject:
    if document is None:
        return {}
    if not isinstance(document, Mapping):
        raise InvalidSamples(f"Tags must be an object, not {foreign.described(document)}.", pointer=pointer)
    return {key: _text(document, key, pointer) for key in document}


def _side(values: Mapping[str, Json], side: str, pointer: str) -> Samples:
    where = f"{pointer}/values/{side}"
    samples = values.get(side)
    if not isinstance(samples, list | tuple):
        found = "is missing" if samples is None else f"is {foreign.described(samples)}"
        raise InvalidSamples(f"The {side} side must be a list of numbers, but it {found}.", pointer=where)
    if set(map(type, samples)) <= {float}:
        return np.array(samples, dtype=np.float64)
    return np.array([_sample(sample, where, index) for index, sample in enumerate(samples)], dtype=np.float64)


def _sample(sample: Json, where: str, index: int) -> float:
    try:
        value = coercion.double(sample)
    except Unreadable as error:
        raise InvalidSamples(f"A sample must be a number, not {error}.", pointer=f"{where}/{index}") from error
    return 0.0 if value is None else value
