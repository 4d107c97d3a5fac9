"""A server that is killed again and again does what an undisturbed one does (docs/guarantees.md).

One story is told several times, from a push to a rollback: undisturbed, and with SIGKILL at the points of kill_points.py,
each time started again. Then everything that came of it is compared, and every effect counted where it is.
"""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple, get_args

import pytest
from tests.e2e import counting, kill_points, normalising
from tests.e2e.patient import is_named_in_a_process
from tests.e2e.shop_story import ShopStory

from gennaker.model.codec import Json, JsonObject
from gennaker.model.effect import Effect

_AT_LEAST = 25
FOLDED = {"TellQueue"}
"""Effects that are part of the commit which asks for them; nobody performs them."""


class Tellings(NamedTuple):
    """The story undisturbed, killed at each of two halves of the points, and killed while its canary was measured."""

    undisturbed: "Told"
    first: "Told"
    second: "Told"
    measured: "Told"

    @property
    def killed(self) -> tuple["Told", "Told"]:
        return self.first, self.second


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tellings]:
    """All tellings, two at a time: they mostly wait."""
    folder = tmp_path_factory.mktemp("killed")
    with pytest.MonkeyPatch.context() as patch:
        # The same commits in all, and so the same images.
        patch.setenv("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
        patch.setenv("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
        with ThreadPoolExecutor(2) as pool:
            told = [
                pool.submit(Told, folder / name, points)
                for name, points in (
                    ("undisturbed", ()),
                    ("measured", kill_points.KILLED_WHILE_MEASURING),
                    ("first", kill_points.KILLED_FIRST),
                    ("second", kill_points.KILLED_SECOND),
                )
            ]
            undisturbed, measured, first, second = (one.result() for one in told)
        yield Tellings(undisturbed, first, second, measured)


class Told:
    """A story that was told, and what was counted before everything was stopped."""

    def __init__(self, folder: Path, kill_points: tuple[str, ...]) -> None:
        story = ShopStory(folder, kill_points=kill_points)
        try:
            story.tell()
            story.stop_visitors()
            self.result: JsonObject = counting.result(story)
            self.registry = counting.registry(story)
            self.verdict: Json = story.client.get("/api/v1/audit/verify")
            self.audit = counting.audit_entries(story)
        finally:
            story.end()
        self.kills = story.supervisor.kills
        self.points_left = story.plan.read_text().split()
        self.points_seen = story.points_seen()
        self.starts = counting.starts(story)
        self.switches = counting.switches(story)
        self.arrived = counting.notifications(story)
        self.outcomes = counting.outcomes(self.audit)
        self.notifications = counting.normalised_ids(story, self.outcomes)
        self.trouble = counting.trouble_of_visitors(story)
        self.requests = counting.requests(story)
        self.open_to_others = counting.open_to_others(story)
        self.still_running = is_named_in_a_process(str(folder))


pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("alone")]


def test_the_server_was_killed_at_every_point(stories: Tellings) -> None:
    lists = (kill_points.KILLED_FIRST, kill_points.KILLED_SECOND, kill_points.KILLED_WHILE_MEASURING)
    for told, points in zip((*stories.killed, stories.measured), lists, strict=True):
        assert (told.points_left, told.kills) == ([], len(points))
    assert all(told.kills >= _AT_LEAST for told in stories.killed)


def test_it_died_before_and_after_each_kind_of_effect_and_of_commit(stories: Tellings) -> None:
    points = {
        point.partition("#")[0]
        for point in (*kill_points.KILLED_FIRST, *kill_points.KILLED_SECOND, *kill_points.KILLED_WHILE_MEASURING)
    }
    seen = {point for told in stories for point in told.points_seen}
    effects = {str(one.__struct_config__.tag) for one in get_args(Effect)} - FOLDED

    assert points <= seen, "a point was renamed or is reached no more"
    assert {name for what, name in map(kill_points.kind, seen) if what == "effect"} == effects
    for moment in ("before", "after"):
        died = {kill_points.kind(point) for point in points if point.partition(":")[0].endswith(f".{moment}")}
        assert died == {kill_points.kind(point) for point in seen}, moment


def test_a_kill_while_a_canary_is_measured_costs_samples_but_not_the_judgement(stories: Tellings) -> None:
    undisturbed, measured = (
        normalising.without_counts_of_samples(told.result) for told in (stories.undisturbed, stories.measured)
    )

    found = difference(undisturbed, normalising.with_known_outcomes(measured))
    assert not found, found


def test_a_canary_that_lost_samples_has_enough_of_them_all_the_same(stories: Tellings) -> None:
    undisturbed, measured = (counts_of_samples(told.result) for told in (stories.undisturbed, stories.measured))

    assert undisturbed
    assert len(measured) == len(undisturbed)
    assert all(few >= 0.75 * all_of_them for few, all_of_them in zip(measured, undisturbed, strict=True))


def counts_of_samples(value: Json) -> list[int]:
    """All that a result tells, in its order."""
    match value:
        case list():
            return [count for item in value for count in counts_of_samples(item)]
        case dict():
            own = [count for name in ("baselineCount", "canaryCount") if isinstance(count := value.get(name), int)]
            return own + [count for item in value.values() for count in counts_of_samples(item)]
        case _:
            return []


def test_the_result_is_the_undisturbed_one(stories: Tellings) -> None:
    """Its canary too, unless a start took so long that it reached into the canary's window, and the canary says so."""
    for killed in stories.killed:
        undisturbed, own = stories.undisturbed.result, normalising.with_known_outcomes(killed.result)
        if normalising.has_lost_samples(own):
            undisturbed, own = (normalising.without_counts_of_samples(one) for one in (undisturbed, own))
        found = difference(undisturbed, own)
        assert not found, found


def difference(undisturbed: Json, killed: Json) -> str:
    """Line by line; empty: they are the same."""
    before, after = (json.dumps(value, indent=1, sort_keys=True).splitlines() for value in (undisturbed, killed))
    return "\n".join(unified_diff(before, after, "undisturbed", "killed", n=6, lineterm=""))


def test_what_was_cut_off_twice_is_said_to_be_unknown(stories: Tellings) -> None:
    """In the third telling for certain; in the others a kill meant for something else may hit the repeat as well."""
    assert set(stories.undisturbed.outcomes.values()) == {"done"}
    for killed in (*stories.killed, stories.measured):
        assert set(killed.outcomes.values()) <= {"done", "unknown"}
    unknown = [key for key, outcome in stories.measured.outcomes.items() if outcome == "unknown"]
    assert any("/notify/stage.complete/" in key for key in unknown), unknown


def test_the_registry_holds_the_same_images_under_the_same_tags(stories: Tellings) -> None:
    for killed in stories.killed:
        assert killed.registry == stories.undisturbed.registry
        assert {name: len(tags) for name, tags in killed.registry.items()} == {"shop": 2}


def test_each_image_and_tag_is_audited_once(stories: Tellings) -> None:
    for told in stories:
        actions = Counter(entry["action"] for entry in told.audit if isinstance(entry, dict))
        assert (actions["image.pushed"], actions["image.tagged"], actions["push.refused"]) == (2, 2, 0)


def test_every_instance_and_job_was_started_once(stories: Tellings) -> None:
    """Two instances in production each, one in each other server group."""
    expected = {
        "shop-prod-v000": 2,
        "shop-prod-v001": 2,
        "shop-prod-baseline-v000": 1,
        "shop-prod-canary-v000": 1,
        "shop-staging-v000": 1,
        "job integration": 1,
        "job e2e": 1,
        "job endless": 1,
    }

    assert [told.starts for told in stories] == [expected] * len(stories)


def test_traffic_was_switched_the_same_times_to_the_same_shares(stories: Tellings) -> None:
    for killed in stories.killed:
        assert killed.switches == stories.undisturbed.switches, (killed.switches, stories.undisturbed.switches)
        assert killed.switches[0] == killed.switches[-1] == {"shop-prod-v000": 1}, "rolled back"
        assert {"shop-prod-v001": 1} in killed.switches, "released"


def test_every_effect_is_audited_once_and_the_chain_is_intact(stories: Tellings) -> None:
    for told in stories:
        keys = Counter(
            str(details["key"])
            for entry in told.audit
            if isinstance(entry, dict) and isinstance(details := entry.get("details"), dict) and "key" in details
        )
        assert [key for key, count in keys.items() if count > 1] == []
        assert isinstance(told.verdict, dict)
        assert told.verdict["isIntact"] is True


def test_mails_and_webhooks_came_at_most_once_more_with_the_same_id(stories: Tellings) -> None:
    undisturbed = stories.undisturbed

    assert undisturbed.arrived == dict.fromkeys(undisturbed.outcomes, 1)
    assert len({"mail" if "manualJudgment" in key else "webhook" for key in undisturbed.arrived}) == 2
    for killed in (*stories.killed, stories.measured):
        assert killed.notifications == undisturbed.notifications
        assert max(killed.arrived.values()) <= 2
        assert set(killed.arrived) <= set(killed.outcomes)


def test_what_did_not_arrive_is_said_to_be_unknown(stories: Tellings) -> None:
    """Cut off before it was sent, and cut off again when it was repeated: it isn't tried a third time."""
    for told in stories:
        unknown = {key for key, outcome in told.outcomes.items() if outcome == "unknown"}
        assert set(told.outcomes) - set(told.arrived) <= unknown


def test_production_served_all_the_time(stories: Tellings) -> None:
    assert [told.trouble for told in stories] == [[]] * len(stories)
    assert all(told.requests > 0 for told in stories)


def test_the_data_folder_is_its_owners_alone(stories: Tellings) -> None:
    assert [told.open_to_others for told in stories] == [[]] * len(stories)


def test_nothing_is_left_running(stories: Tellings) -> None:
    assert [told.still_running for told in stories] == [[]] * len(stories)
