"""Telling: how long a step took is measured, unless it is known better."""

import io

import pytest
from rich.console import Console

from gennaker.demo.telling import Teller


@pytest.mark.parametrize(("known", "told"), [(None, "waited for  0.0 s"), (31.26, "waited for  31.3 s")])
def test_a_step_says_how_long_it_took_or_what_is_known_of_it(known: float | None, told: str) -> None:
    said = io.StringIO()

    with Teller(Console(file=said)).step("waited for") as step:
        step.seconds = known

    assert told in said.getvalue()
