"""Cron times: exactly the instants at which a wall clock of the zone shows what the expression says."""

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gennaker.model import cron_times
from gennaker.model.cron_expressions import read

PACIFIC = ZoneInfo("America/Los_Angeles")
BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # half an hour of summer time


def times(expression: str, at: datetime, zone: ZoneInfo, count: int = 4) -> list[str]:
    found = []
    following = cron_times.after(read(expression), at, zone)
    while following is not None and len(found) < count:
        found.append(f"{following.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}")
        following = cron_times.after(read(expression), following, zone)
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 9 L * ?", ["2026-11-30", "2026-12-31", "2027-01-31", "2027-02-28"]),
        ("0 0 9 L-30 * ?", ["2026-12-01", "2027-01-01", "2027-03-01", "2027-05-01"]),
        ("0 0 9 LW * ?", ["2026-11-30", "2026-12-31", "2027-01-29", "2027-02-26"]),
        ("0 0 9 L-3W * ?", ["2026-11-27", "2026-12-28", "2027-01-28", "2027-02-25"]),
        ("0 0 9 1W * ?", ["2026-11-02", "2026-12-01", "2027-01-01", "2027-02-01"]),
        ("0 0 9 31W * ?", ["2026-12-31", "2027-01-29", "2027-03-31", "2027-05-31"]),
        ("0 0 9 15W * ?", ["2026-11-16", "2026-12-15", "2027-01-15", "2027-02-15"]),
        ("0 0 9 29 2 ?", ["2028-02-29", "2032-02-29", "2036-02-29", "2040-02-29"]),
        ("0 0 9 ? * 6L", ["2026-11-27", "2026-12-25", "2027-01-29", "2027-02-26"]),
        ("0 0 9 ? * MON#5", ["2026-11-30", "2027-03-29", "2027-05-31", "2027-08-30"]),
        ("0 0 9 ? * SUN,WED", ["2026-11-01", "2026-11-04", "2026-11-08", "2026-11-11"]),
        ("0 0 9 1 1 ? 2030,2040", ["2030-01-01", "2040-01-01"]),
        ("0 0 9 31 2 ?", []),
        ("0 0 9 * * ? 2020", []),
    ],
)
def test_days(expression: str, expected: list[str]) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)

    assert [one[:10] for one in times(expression, at, BERLIN)] == expected


def test_what_clocks_that_are_put_forward_never_show_is_left_out() -> None:
    at = datetime(2026, 3, 7, 20, tzinfo=UTC)

    assert times("0 30 2 * * ?", at, PACIFIC, 2) == ["2026-03-09 02:30:00 PDT", "2026-03-10 02:30:00 PDT"]
    assert times("0 30 * ? * SUN", at, PACIFIC, 3)[1:] == ["2026-03-08 01:30:00 PST", "2026-03-08 03:30:00 PDT"]


def test_what_clocks_that_are_put_back_show_twice_counts_once_the_second_time() -> None:
    at = datetime(2026, 11, 1, 6, tzinfo=UTC)

    assert times("0 30 1 * * ?", at, PACIFIC, 2) == ["2026-11-01 01:30:00 PST", "2026-11-02 01:30:00 PST"]


def test_what_holds_in_every_hour_goes_on_while_clocks_are_put_back() -> None:
    at = datetime(2026, 11, 1, 7, 50, tzinfo=UTC)

    assert times("0 */30 * * * ?", at, PACIFIC, 5) == [
        "2026-11-01 01:00:00 PDT",
        "2026-11-01 01:30:00 PDT",
        "2026-11-01 01:00:00 PST",
        "2026-11-01 01:30:00 PST",
        "2026-11-01 02:00:00 PST",
    ]


def test_every_time_is_found_over_half_hours_of_summer_time() -> None:
    at = datetime(2027, 4, 3, 14, tzinfo=UTC)  # 01:00; at 02:00 clocks show 01:30 again

    assert [one[11:16] for one in times("0 */15 * * * ?", at, LORD_HOWE, 8)] == [
        *("01:15", "01:30", "01:45", "01:30", "01:45", "02:00", "02:15", "02:30")
    ]


def field(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    step = st.integers(1, max(1, most - least))
    return st.one_of(
        st.just("*"),
        number.map(str),
        st.lists(number, min_size=1, max_size=4).map(lambda values: ",".join(map(str, values))),
        st.tuples(number, number).map(lambda pair: f"{pair[0]}-{pair[1]}"),
        st.tuples(number, step).map(lambda pair: f"{pair[0]}/{pair[1]}"),
        step.map(lambda value: f"*/{value}"),
    )


EXPRESSIONS = st.builds(
    lambda minutes, hours, months, days: f"0 {minutes} {hours} {days[0]} {months} {days[1]}",
    field(0, 59),
    field(0, 23),
    field(1, 12),
    st.one_of(
        st.tuples(field(1, 31) | st.sampled_from(["L", "LW", "L-2", "15W", "1W"]), st.just("?")),
        st.tuples(st.just("?"), field(1, 7) | st.sampled_from(["6L", "1#1", "L"])),
    ),
)


# Around the days on which clocks are moved, and a month's end.
BEGINS = st.sampled_from(
    [
        datetime(2026, 3, 8, tzinfo=UTC),
        datetime(2026, 3, 28, 20, tzinfo=UTC),
        datetime(2026, 10, 24, 21, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
    ]
)


@given(EXPRESSIONS, BEGINS, st.integers(0, 12 * 60), st.sampled_from([PACIFIC, BERLIN, ZoneInfo("UTC")]))
@settings(max_examples=40, deadline=None)
def test_exactly_the_minutes_that_it_says_are_found(
    expression: str, begins: datetime, later: int, zone: ZoneInfo
) -> None:
    at = begins + timedelta(minutes=later)
    until = at + timedelta(hours=6)

    found = []
    following = cron_times.after(read(expression), at, zone)
    while following is not None and following <= until:
        found.append(following)
        following = cron_times.after(read(expression), following, zone)

    expected = held(expression, [at + timedelta(minutes=number) for number in range(1, 6 * 60 + 1)], zone)
    assert found == expected
    assert cron_times.latest(read(expression), at, until, zone) == (expected[-1] if expected else None)


def held(expression: str, instants: list[datetime], zone: ZoneInfo) -> list[datetime]:
    """The same said in another way: minute by minute."""
    _, minutes, hours, of_month, months, of_week = expression.split()
    in_hour, in_day, in_year = listed(minutes, 0, 59), listed(hours, 0, 23), listed(months, 1, 12)

    def holds(at: datetime) -> bool:
        local = at.astimezone(zone)
        is_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        if is_twice and local.fold == 0 and len(in_day) < 24:
            return False
        if local.minute not in in_hour or local.hour not in in_day or local.month not in in_year:
            return False
        return is_day_of_month(of_month, local) if of_week == "?" else is_day_of_week(of_week, local)

    return [one for one in instants if holds(one)]


def listed(text: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = ("", "", "") if span == "*" else span.partition("-")
        low = int(first) if first else least
        high = int(last) if last else (most if step or not first else low)
        size = most - least + 1
        high += size if high < low else 0
        found |= {(value - least) % size + least for value in range(low, high + 1, int(step or 1))}
    return found


def is_day_of_month(text: str, local: datetime) -> bool:
    length = calendar.monthrange(local.year, local.month)[1]
    weekdays = [day for day in range(1, length + 1) if local.replace(day=day).weekday() < 5]
    match text:
        case "L":
            return local.day == length
        case "L-2":
            return local.day == length - 2
        case "LW":
            return local.day == weekdays[-1]
        case "1W":
            return local.day == weekdays[0]
        case "15W":
            return local.day == min(weekdays, key=lambda day: abs(day - 15))
    return local.day in listed(text, 1, 31)


def is_day_of_week(text: str, local: datetime) -> bool:
    length = calendar.monthrange(local.year, local.month)[1]
    match text:
        case "6L":
            return local.weekday() == 4 and local.day > length - 7
        case "1#1":
            return local.weekday() == 6 and local.day <= 7
        case "L":
            return local.weekday() == 5
    return (local.weekday() + 1) % 7 + 1 in listed(text, 1, 7)
