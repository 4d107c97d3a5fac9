"""Cron wording: a sentence that says what an expression says."""

import pytest

from gennaker.model import cron_wording
from gennaker.model.cron_expressions import read


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("0 0 12 * * ?", "At 12:00, every day"),
        ("30 15,45 9 ? * MON-FRI", "At 09:15:30 and 09:45:30, on Monday to Friday"),
        (
            "0 0/5 14,18 ? JAN,MAR SUN,TUE",
            "Every 5 minutes, of hour 14 and 18, on Sunday and Tuesday, in January and March",
        ),
        ("* * * * * ?", "Every second, every day"),
        ("0 * * * * ?", "Every minute, every day"),
        ("*/10 0-2,30 * L * ?", "Every 10 seconds, at minute 0 to 2 and 30 of the hour, on the last day of the month"),
        ("0 7/10 * LW * ?", "Every 10 minutes from minute 7 of the hour, on the last weekday of the month"),
        ("0 0 9 L-1 * ?", "At 09:00, on the day 1 day before the last day of the month"),
        ("0 0 9 L-3W * ?", "At 09:00, on the weekday nearest to 3 days before the last day of the month"),
        ("0 0 9 15W * ?", "At 09:00, on the weekday nearest to day 15 of the month"),
        ("0 0 9 1,15 * ? 2030-2033", "At 09:00, on day 1 and 15 of the month, in 2030 to 2033"),
        ("0 0 9 ? * FRIL", "At 09:00, on the last Friday of the month"),
        ("0 0 9 ? * 2#3", "At 09:00, on the third Monday of the month"),
        ("0 0 9 ? * *", "At 09:00, every day"),
    ],
)
def test_a_sentence_for_each_form(expression: str, sentence: str) -> None:
    assert cron_wording.described(read(expression)) == sentence
