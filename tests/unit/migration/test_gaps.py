"""Gaps of an imported pipeline: what its triggers and stages need and is not here."""

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


def test_an_account_by_which_a_chart_is_read_is_missed() -> None:
    inputs = [{"id": "c", "account": "charts"}, {"id": "v", "account": "there"}, {"id": "w", "account": "${x}"}]
    stage = {"type": "bakeManifest", "inputArtifacts": [*inputs]}

    found = gaps.of_pipeline(
        {"application": "shop", "name": "p", "stages": [stage]}, Known(artifact_accounts=frozenset({"there"}))
    )

    assert [one.pointer for one in found] == ["/stages/0/inputArtifacts/0/account"]
