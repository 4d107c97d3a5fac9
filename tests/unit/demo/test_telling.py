"""Telling: how long a step took is measured, unless it is known better."""

import io

import pytest
from rich.console import Console

from gennaker.demo.telling import Teller


def test_without_a_terminal_a_row_is_a_line() -> None:
    said = io.StringIO()
    row = ("cart, rolling", "1.4.0-" + "a" * 40, "released", "[98.0]" * 8, "31 s, the update 4.2 s")

    Teller(Console(file=said, width=80)).table("What ran", ("change", "version", "outcome", "scores", "time"), [row])

    lines = said.getvalue().splitlines()
    assert [line.rstrip() for line in lines[:2]] == ["", "What ran"]
    assert lines[3].rstrip() == "  ".join(row)


@pytest.mark.parametrize(("known", "told"), [(None, "waited for  4.2 s"), (31.26, "waited for  31.3 s")])
def test_a_step_says_how_long_it_took_or_what_is_known_of_it(known: float | None, told: str) -> None:
    said = io.StringIO()
    clock = iter((100.0, 101.0, 105.24))

    with Teller(Console(file=said), seconds=lambda: next(clock)).step("waited for") as step:
        step.seconds = known

    assert told in said.getvalue()
