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
        ({"type": "jenkins", "master": "ci"}, ["ci.missing"]),
        ({"type": "jenkins", "master": "here"}, []),
        ({"type": "docker", "account": "hub"}, ["account.missing"]),
        ({"type": "docker", "account": "there"}, []),
    ],
)
def test_what_a_trigger_does_otherwise_is_named(trigger: dict[str, str], codes: list[str]) -> None:
    known = Known(ci=frozenset({"here"}), registries=frozenset({"there"}))

    found = gaps.of_pipeline({"application": "shop", "name": "p", "triggers": [{**trigger}]}, known)

    assert [(one.code, one.weight) for one in found] == [(code, gaps.Weight.DIFFERS) for code in codes]


def test_an_account_by_which_a_chart_is_read_is_missed() -> None:
    inputs = [{"id": "c", "account": "charts"}, {"id": "v", "account": "there"}, {"id": "w", "account": "${x}"}]
    stage = {"type": "bakeManifest", "inputArtifacts": [*inputs]}

    found = gaps.of_pipeline(
        {"application": "shop", "name": "p", "stages": [stage]}, Known(artifact_accounts=frozenset({"there"}))
    )

    assert [one.pointer for one in found] == ["/stages/0/inputArtifacts/0/account"]


def test_an_account_of_an_artifact_is_missed_wherever_it_stands() -> None:
    artifacts = [{"artifactAccount": "gone"}, {"artifactAccount": "there"}, {"artifactAccount": "${x}"}]
    stage = {"type": "deployManifest", "manifestArtifactAccount": "lost", "nested": [{"of": [*artifacts]}]}

    found = gaps.of_pipeline(
        {"application": "shop", "name": "p", "stages": [stage]}, Known(artifact_accounts=frozenset({"there"}))
    )

    assert [(one.weight, one.pointer) for one in found] == [
        (gaps.Weight.STOPS, "/stages/0/manifestArtifactAccount"),
        (gaps.Weight.STOPS, "/stages/0/nested/0/of/0/artifactAccount"),
    ]
