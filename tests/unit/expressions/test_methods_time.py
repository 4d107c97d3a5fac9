"""Days, times, instants and date formats."""

import pytest

from gennaker.expressions import root, template
from gennaker.model.codec import Json


def _value(expression: str) -> Json:
    long = expression.replace("LocalDateTime)", "java.time.LocalDateTime)").replace(
        "LocalDate)", "java.time.LocalDate)"
    )
    long = long.replace("Instant)", "java.time.Instant)").replace("ChronoUnit)", "java.time.temporal.ChronoUnit)")
    long = long.replace("new Date(", "new java.util.Date(").replace(
        "new SimpleDateFormat(", "new java.text.SimpleDateFormat("
    )
    return template.evaluate(f"${{{long}}}", root.plain({}), at_ms=1_709_201_730_000).value


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("T(LocalDate).parse('2024-01-31').plusMonths(1).toString()", "2024-02-29"),
        ("T(LocalDate).parse('2024-02-29').plusYears(1).toString()", "2025-02-28"),
        ("T(LocalDate).of(2024, 2, 29).dayOfWeek.toString()", "THURSDAY"),
        ("T(LocalDate).now().toString()", "2024-02-29"),
        ("T(LocalDate).parse('2024-02-29').isBefore(T(LocalDate).parse('2024-03-01'))", True),
        ("T(LocalDate).parse('2024-02-29').toEpochDay()", 19782),
        ("T(LocalDateTime).parse('2024-02-29T23:59:59.5').plusSeconds(1).toString()", "2024-03-01T00:00:00.500"),
        ("T(LocalDateTime).of(2024, 2, 29, 10, 15).withHour(3).toString()", "2024-02-29T03:15"),
        ("T(Instant).ofEpochMilli(1500).toString()", "1970-01-01T00:00:01.500Z"),
        ("T(Instant).now().toEpochMilli()", 1709201730000),
        ("T(ChronoUnit).valueOf('DAYS').between(T(LocalDate).of(2024,1,1), T(LocalDate).of(2024,3,1))", 60),
        ("T(ChronoUnit).valueOf('MONTHS').between(T(LocalDate).of(2024,1,31), T(LocalDate).of(2024,3,30))", 1),
        ("new Date().getTime()", 1709201730000),
        ("new SimpleDateFormat('yyyy-MM-dd''T''HH:mm:ss').format(new Date(0))", "1970-01-01T00:00:00"),
        ("new SimpleDateFormat('dd MMM yyyy').parse('29 Feb 2024').time", 1709164800000),
        ("new SimpleDateFormat('yyyyMMdd').parse('20241301').time", 1735689600000),
    ],
)
def test_time_is_reckoned_as_in_java_in_utc(expression: str, expected: Json) -> None:
    assert _value(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "T(LocalDate).parse('2024-13-01')",
        "T(LocalDate).parse('yesterday')",
        "T(LocalDate).of(2024,1,1).plusDays(9000000000000)",
        "T(LocalDate).of(2024,1,1).plusYears(2000000000)",
        "T(Instant).ofEpochSecond(9000000000000000).toString()",
        "new SimpleDateFormat('QQ')",
        "T(LocalDate).now().month",
    ],
)
def test_what_cannot_be_fails_and_leaves_the_text(expression: str) -> None:
    assert str(_value(expression)).startswith("${")
