"""Reorder pipelines: places by id."""

from typing import Any

import pytest
from tests.jobs import Installation, encoded

from gennaker.model.codec import JsonObject


def installed(kind: str = "pipeline") -> Installation:
    made = Installation()
    for place, one in enumerate(("a", "b")):
        made.save(kind, one, {"application": "shop", "name": one, "index": place})
    return made


def places(made: Installation, kind: str = "pipeline") -> dict[str, Any]:
    return {one.id: one.body["index"] for one in made.list(kind)}


@pytest.mark.parametrize("application", ["shop", encoded("shop")])
def test_each_gets_its_place(application: str) -> None:
    made = installed()

    made.done(
        "reorderPipelines",
        idsToIndices=encoded({"a": 1, "b": 0}),
        application=application,
        isStrategy=encoded(False),
    )

    assert places(made) == {"a": 1, "b": 0}


def test_one_that_stays_where_it_is_gets_no_new_version() -> None:
    made = installed()

    made.done("reorderPipelines", idsToIndices={"a": 0, "b": 7}, application="shop")

    assert (made.revisions("pipeline", "a"), made.revisions("pipeline", "b")) == (1, 2)


def test_strategies_are_ordered_by_themselves() -> None:
    made = installed("strategy")

    made.done("reorderPipelines", idsToIndices={"a": 5}, application="shop", isStrategy=True)

    assert places(made, "strategy") == {"a": 5, "b": 1}


@pytest.mark.parametrize(("wanted", "said"), [({"c": 0}, "no pipeline with the id 'c'"), ({"a": -1}, "0 or more")])
def test_what_makes_no_sense_changes_nothing(wanted: JsonObject, said: str) -> None:
    made = installed()

    assert said in made.refused("reorderPipelines", idsToIndices={**wanted, "b": 9}, application="shop")
    assert places(made) == {"a": 0, "b": 1}
