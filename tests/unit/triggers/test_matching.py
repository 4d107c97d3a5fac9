"""Matching: paths of monorepos, signatures told apart from what doesn't match, odd definitions; the rest is golden."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.model import trigger_keys
from gennaker.triggers import matching


def facts(changed: Any = None, **content: Any) -> matching.EventFacts:
    given: dict[str, Any] = {"repoProject": "acme", "slug": "store", "branch": "main", "hash": "h", **content}
    return matching.EventFacts(type="git", source="github", content={**given, "changedFiles": changed}, event_id="e")


def matches(trigger: dict[str, Any], event: matching.EventFacts) -> matching.Matches:
    whole = {"type": "git", "enabled": True, "source": "github", "project": "acme", "slug": "store", **trigger}
    return matching.match(event, [{"id": "p", "triggers": [whole]}])


@pytest.mark.parametrize(
    ("paths", "changed", "does_match"),
    [
        (["services/shop/**"], ["services/shop/a.py"], True),
        (["services/shop/**"], ["services/shop/deep/er/a.py"], True),
        (["services/shop/**"], ["services/shopping/a.py"], False),
        (["services/shop/**"], ["services/cart/a.py", "README.md"], False),
        (["services/shop/**", "libs/**"], ["libs/x.py"], True),
        (["services/shop"], ["services/shop/a.py"], True),
        (["services/shop/"], ["services/shop/a.py"], True),
        (["services/shop"], ["services/shopping/a.py"], False),
        (["*.md"], ["README.md"], True),
        (["*.md"], ["a.py"], False),
        (["**"], ["anything/at/all"], True),
        (["Services/Shop/**"], ["services/shop/a.py"], False),
        ([], ["a.py"], True),
        (None, ["a.py"], True),
        (["services/shop/**"], [], False),
        (["services/shop/**"], None, True),
    ],
)
def test_paths_choose_the_pushes_that_concern_them(paths: Any, changed: Any, does_match: bool) -> None:
    assert bool(matches({"paths": paths}, facts(changed)).found) is does_match


def test_a_secret_keeps_a_delivery_out_and_is_counted_only_where_all_else_fits() -> None:
    assert matches({"secret": "s"}, facts()) == matching.Matches(found=(), unsigned=1)
    assert matches({"secret": "s", "branch": "other"}, facts()) == matching.Matches(found=(), unsigned=0)
    assert matches({"secret": "s", "enabled": False}, facts()) == matching.Matches(found=(), unsigned=0)


def test_the_secret_is_no_part_of_what_the_execution_is_given() -> None:
    event = facts()
    found = matching.match(
        event,
        [
            {
                "id": "p",
                "triggers": [
                    {
                        "type": "git",
                        "enabled": True,
                        "source": "github",
                        "project": "acme",
                        "slug": "store",
                        "secret": "",
                    }
                ],
            }
        ],
    )

    assert "secret" not in found.found[0].trigger


@pytest.mark.parametrize("branch", ["main", "ma.*", "(main|dev)", ""])
def test_a_branch_is_matched_whole(branch: str) -> None:
    assert matches({"branch": branch}, facts()).found


@pytest.mark.parametrize("branch", ["mai", "Main", "ain", "(", "main.+"])
def test_another_branch_is_not(branch: str) -> None:
    assert not matches({"branch": branch}, facts()).found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["branch", "events", "paths", "secret", "expectedArtifactIds", "payloadConstraints", "properties"]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON), JSON)
def test_no_trigger_however_odd_breaks_the_matching(trigger: dict[str, Any], changed: Any) -> None:
    found = matches({**trigger, "branch": ""}, facts(changed))

    assert len(found.found) <= 1


def test_what_is_said_to_fire_does() -> None:
    assert matching.SERVED | {"cron", "manual", "pipeline"} == trigger_keys.FIRING


def test_a_trigger_whose_pattern_would_cost_too_much_starts_nothing_and_that_is_said() -> None:
    trigger = {"type": "git", "enabled": True, "source": "github", "project": "acme", "slug": "store"}
    triggers = [{**trigger, "branch": r"((a+)+)\2b"}, {**trigger, "branch": "a+"}]

    found = matching.match(facts(branch="a" * 300), [{"id": "p", "triggers": triggers}])

    assert [one.trigger["branch"] for one in found.found] == ["a" * 300]
    assert ["could run for ever" in reason for reason in found.undecided] == [True]
