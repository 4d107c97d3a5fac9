"""Cron expressions: what Quartz takes is read, what it takes for something else is refused, with all problems."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.model import cron_expressions
from gennaker.model.cron_expressions import (
    FromEnd,
    InvalidExpression,
    LastWeekday,
    MonthDays,
    Nearest,
    NthWeekday,
    Weekdays,
    fuzzed,
    read,
)

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "events.json").read_text())["cron_fuzz"]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["id"])
def test_h_stands_for_a_number_that_depends_on_the_trigger(case: dict[str, str]) -> None:
    assert fuzzed(case["expression"], case["trigger_id"]) == case["fuzzed"]


@pytest.mark.parametrize(
    ("trigger_id", "expression", "expected"),
    [
        ("abcd", "H * * * * *", "34 * * * * *"),
        ("abcde", "0 0 H * * ?", "0 0 3 * * ?"),
        ("abcd", "H/5 * * * * ?", "34/5 * * * * ?"),
        ("", "0 h 3 ? * THU", "0 0 3 ? * THU"),
        ("polygenelubricants", "0 0 H * * ?", "0 0 8 * * ?"),  # Java's smallest whole number
        ("😀", "0 H * * * ?", "0 19 * * * ?"),
    ],
)
def test_the_number_is_javas_hash_of_the_id(trigger_id: str, expression: str, expected: str) -> None:
    assert fuzzed(expression, trigger_id) == expected


@pytest.mark.parametrize(
    ("field", "place", "expected"),
    [
        ("0/15", 0, (0, 15, 30, 45)),
        ("/20", 1, (0, 20, 40)),
        ("*/20", 1, (0, 20, 40)),
        ("5/0", 1, (5,)),
        ("5-9/0", 1, (5,)),
        ("*/0", 2, tuple(range(24))),
        ("22-2", 2, (0, 1, 2, 22, 23)),
        ("20-4/3", 2, (2, 20, 23)),
        ("9,12-14,,9", 2, (9, 12, 13, 14)),
        ("JAN,MAR-may", 4, (1, 3, 4, 5)),
        ("NOV-2", 4, (1, 2, 11, 12)),
        ("7/6", 4, (7,)),
        ("2030-2032", 6, (2030, 2031, 2032)),
        ("2198/5", 6, (2198,)),
    ],
)
def test_lists_ranges_and_steps(field: str, place: int, expected: tuple[int, ...]) -> None:
    fields = ["0", "0", "0", "*", "*", "?", "*"]
    fields[place] = field.replace(",,", ",")
    found = read(" ".join(fields))

    values = (found.seconds, found.minutes, found.hours, (), found.months, (), found.years)
    assert values[place] == expected


@pytest.mark.parametrize(
    ("of_month", "of_week", "expected"),
    [
        ("1,15", "?", MonthDays((1, 15))),
        ("28-3", "?", MonthDays((1, 2, 3, 28, 29, 30, 31))),
        ("L", "?", FromEnd(0, is_weekday=False)),
        ("LW", "?", FromEnd(0, is_weekday=True)),
        ("L-3", "?", FromEnd(3, is_weekday=False)),
        ("l-3w", "?", FromEnd(3, is_weekday=True)),
        ("15W", "?", Nearest(15)),
        ("?", "MON-FRI", Weekdays((2, 3, 4, 5, 6))),
        ("?", "FRI-2", Weekdays((1, 2, 6, 7))),
        ("?", "MON-FRI/2", Weekdays((2, 4, 6))),
        ("?", "L", Weekdays((7,))),
        ("?", "6L", LastWeekday(6)),
        ("?", "FRIL", LastWeekday(6)),
        ("?", "6#3", NthWeekday(6, 3)),
        ("?", "TUE#1", NthWeekday(3, 1)),
    ],
)
def test_days(of_month: str, of_week: str, expected: cron_expressions.Days) -> None:
    assert read(f"0 0 9 {of_month} * {of_week}").days == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * * ?",
        "0 0 9 ? * MON 2030 x",
        "0 0 9 * * *",
        "0 0 9 ? * ?",
        "0 0 9 1W,15 * ?",
        "0 0 9 L,15 * ?",
        "0 0 9 L-31 * ?",
        "0 0 9 32W * ?",
        "0 0 9 15W-17 * ?",
        "0 0 9 ? * 6L,2",
        "0 0 9 ? * 2#1,5",
        "0 0 9 ? * 2#6",
        "0 0 9 ? * 0",
        "0 0 9 ? * MONDAY",
        "0 0 9 ? * MON-",
        "0 0 9 ?,5 * ?",
        "L 0 9 * * ?",
        "0 60 9 * * ?",
        "0 */60 9 * * ?",
        "0 0 24 * * ?",
        "0 0 9 * 13 ?",
        "0 0 9 * * ? 1969",
        "0 0 9 * * ? 2030-2029",
        "0 0 ٣ * * ?",
        f"{'0,' * 600}0 0 9 * * ?",
    ],
)
def test_what_quartz_does_not_take_or_takes_for_something_else_is_refused(expression: str) -> None:
    with pytest.raises(InvalidExpression):
        read(expression)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidExpression) as caught:
        read("60 x 24,9 32 13 ? 1969")

    assert caught.value.sentences == (
        "Seconds must be 0 to 59, not 60.",
        "Minutes: X can't be read.",
        "Hours must be 0 to 23, not 24.",
        "Months must be 1 to 12 or JAN to DEC, not 13.",
        "Years must be 1970 to 2199, not 1969.",
        "Days of the month must be 1 to 31, not 32.",
    )


@given(st.text(max_size=30) | st.text("0123456789*?/-,#LWH JANMON", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = read(fuzzed(text, text))
    except InvalidExpression as error:
        sentences = error.sentences
    else:
        sentences = ("It is read.",) if min(map(len, (found.seconds, found.minutes, found.hours, found.months))) else ()
    assert sentences
