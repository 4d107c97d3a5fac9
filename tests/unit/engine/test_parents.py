"""Parents: read whole only where an expression looks at them, as far as it can ask."""

import asyncio

import pytest
from tests.make import execution, stage_json

from gennaker.engine import parents
from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution


class Known:
    """Executions by their ids; asking for one is counted."""

    def __init__(self, *known: Execution) -> None:
        self.known = {one.head.id: one for one in known}
        self.asked: list[str] = []

    async def get(self, execution_id: str) -> Execution | None:
        """By id."""
        self.asked.append(execution_id)
        return self.known.get(execution_id)


PARENT = execution(stage_json("a"), trigger={"parentExecution": {"id": "older", "name": "first"}})
TRIGGER: JsonObject = {"type": "pipeline", "parentExecution": {"id": PARENT.head.id, "name": "p", "depth": 2}}


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("${ trigger.type }", []),
        ("trigger.parentExecution.name", [PARENT.head.id]),
        ({"a": ["${ trigger.parentExecution.trigger.parentExecution.id }"]}, [PARENT.head.id, "older"]),
    ],
)
def test_as_many_generations_are_read_as_a_text_can_ask_for(value: Json, asked: list[str]) -> None:
    known = Known(PARENT)

    found = asyncio.run(parents.shown(TRIGGER, value, known))  # type: ignore[arg-type]  # all that is asked of it

    assert known.asked == asked
    parent = foreign.mapping(found["parentExecution"])
    assert parent["depth"] == 2, "what the trigger itself says of the parent stays"
    assert len(foreign.items(parent.get("stages"))) == len(asked[:1])


def test_of_a_parent_that_was_deleted_the_trigger_s_own_words_stay() -> None:
    found = asyncio.run(parents.shown(TRIGGER, "parentExecution", Known()))  # type: ignore[arg-type]  # as above

    assert found == TRIGGER
