"""Gaps of an imported pipeline's triggers."""

import pytest

from gennaker.migration import gaps
from gennaker.migration.gaps import Known


@pytest.mark.parametrize(
    ("trigger", "codes"),
    [
        ({"type": "cron", "cronExpression": "0 0 12 ? * THU"}, []),
        ({"type": "cron", "cronExpression": "0 h 12 * * ?"}, ["trigger.cron_chosen"]),
        ({"type": "helm", "account": "charts"}, ["trigger.not_served"]),
    ],
)
def test_what_a_trigger_does_otherwise_is_named(trigger: dict[str, str], codes: list[str]) -> None:
    found = gaps.of_pipeline({"application": "shop", "name": "p", "triggers": [{**trigger}]}, Known())

    assert [(one.code, one.weight) for one in found] == [(code, gaps.Weight.DIFFERS) for code in codes]
