"""Metric set pairs are read with Kayenta's manners: null is zero, texts are numbers, a missing side is refused."""

import math
from typing import Any

import pytest

from gennaker.canary import samples
from gennaker.canary.errors import InvalidSamples


def test_samples_are_read_from_numbers_texts_and_nulls() -> None:
    document: Any = [{"name": "m", "values": {"control": [1, "2.5", None, "-Infinity"], "experiment": ["NaN", ""]}}]

    (pair,) = samples.read_pairs(document)

    assert pair.control.tolist() == [1.0, 2.5, 0.0, -math.inf]
    assert math.isnan(pair.experiment[0])
    assert pair.experiment[1] == 0.0
    assert (pair.id, pair.tags) == (None, {})


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        (None, ""),
        ("pairs", ""),
        ({}, ""),
        ([3], "/0"),
        ([{"name": "m"}], "/0/values"),
        ([{"values": {"control": []}}], "/0/values/experiment"),
        ([{"values": {"control": None, "experiment": []}}], "/0/values/control"),
        ([{"values": {"control": [1.0, True], "experiment": []}}], "/0/values/control/1"),
        ([{"values": {"control": [[1.0]], "experiment": []}}], "/0/values/control/0"),
        ([{"name": {}, "values": {"control": [], "experiment": []}}], "/0/name"),
        ([{"tags": [], "values": {"control": [], "experiment": []}}], "/0/tags"),
        ([{"tags": {"a": []}, "values": {"control": [], "experiment": []}}], "/0/tags/a"),
    ],
)
def test_unreadable_pairs_are_refused_with_their_place(document: Any, pointer: str) -> None:
    with pytest.raises(InvalidSamples) as refused:
        samples.read_pairs(document)

    assert refused.value.pointer == pointer
