"""Firing: each due time of a cron trigger starts its pipeline once, whatever happens to servers and definitions meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests import make
from tests.fakes.virtual_time import VirtualTime
from tests.harness import Harness, Killed

from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.migration.phases import Phase, Standing
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution
from gennaker.model.permissions import Right
from gennaker.model.problems import Refused
from gennaker.plugins.cron import firing
from gennaker.plugins.cron.plugin import plugin
from gennaker.plugins.flow import plugin as flow
from gennaker.settings import EngineSettings, Settings, SignInSettings

BEGINS = datetime(2026, 1, 5, 17, tzinfo=UTC)  # 09:00 in Los Angeles
EVERY_MINUTE: JsonObject = {"type": "cron", "enabled": True, "id": "t1", "cronExpression": "0 * * * * ?"}


class Site:
    """An installation with pipelines."""

    def __init__(self, *plugins: Plugin, **engine: Any) -> None:
        settings = Settings(engine=EngineSettings(**engine))
        self.harness = Harness(flow.plugin, *plugins, settings=settings, time=VirtualTime(BEGINS))

    def save(self, *triggers: JsonObject, name: str = "p", **fields: Any) -> None:
        asyncio.run(self.saved(*triggers, name=name, **fields))

    async def saved(self, *triggers: JsonObject, name: str = "p", **fields: Any) -> None:
        stages: list[Any] = [make.stage_json("w", type="wait", waitTime=1)]
        body: JsonObject = {"application": "shop", "name": name, "stages": stages, "triggers": [*triggers], **fields}
        await self.harness.definitions.save("pipeline", name, body, author="ada")

    def runs(self, seconds: float = 0, meanwhile: Callable[[Services], Awaitable[None]] | None = None) -> None:
        """A server lives for so long; `meanwhile` first."""

        async def work(services: Services) -> None:
            if meanwhile is not None:
                await meanwhile(services)
            await asyncio.sleep(seconds)

        self.harness.do(work)

    def is_down(self, seconds: float) -> None:
        self.harness.time.run(asyncio.sleep(seconds))

    @property
    def started(self) -> list[Execution]:
        return list(self.harness.executions())

    @property
    def times(self) -> list[str]:
        """When executions were taken, in Los Angeles."""
        zone = timedelta(hours=-8)
        return [f"{one.head.build_time + zone:%d %H:%M:%S}" for one in self.started]


def test_a_pipeline_starts_at_each_of_its_times_in_the_time_zone_of_the_settings() -> None:
    site = Site(plugin)
    site.save({**EVERY_MINUTE, "cronExpression": "0 30 9,10 ? * MON"})

    site.runs(8 * 3600)

    assert site.times == ["05 09:30:00", "05 10:30:00"]


def test_the_execution_gets_the_trigger_with_its_parameters_and_user() -> None:
    site = Site(plugin)
    site.save({**EVERY_MINUTE, "parameters": {"size": "3"}, "runAsUser": " robot ", "rebake": True, "dryRun": True})

    site.runs(61)

    (execution,) = site.started
    trigger = execution.head.trigger
    assert {key: trigger[key] for key in ("type", "id", "cronExpression", "rebake", "dryRun")} == {
        "type": "cron",
        "id": "t1",
        "cronExpression": "0 * * * * ?",
        "rebake": True,
        "dryRun": True,
    }
    assert trigger["parameters"] == {"size": "3"}
    assert trigger["eventId"]
    assert (execution.head.origin, execution.head.authentication.user) == ("trigger:cron", "robot")


def test_what_is_off_starts_nothing() -> None:
    site = Site(plugin)
    site.save({**EVERY_MINUTE, "enabled": False}, name="trigger")
    site.save(EVERY_MINUTE, name="pipeline", disabled=True)
    site.save(EVERY_MINUTE, name="deleted")
    asyncio.run(site.harness.definitions.delete("pipeline", "deleted", author="ada"))

    site.runs(180)

    assert site.started == []


def test_nothing_fires_while_the_setting_is_off() -> None:
    site = Site(plugin, cron_triggers=False)
    site.save(EVERY_MINUTE)

    site.runs(180)

    assert site.started == []


def test_a_time_zone_that_is_none_is_said() -> None:
    async def work(services: Services) -> None:
        with pytest.raises(Refused, match="is no time zone") as caught:
            await firing.run(services)
        assert caught.value.problems[0].code == "cron.zone"

    Site(time_zone="Mars/Olympus").harness.do(work)


def test_a_trigger_counts_from_when_it_is_saved_and_only_as_long_as_it_stays() -> None:
    site = Site(plugin)

    async def meanwhile(_: Services) -> None:
        await asyncio.sleep(119)
        await site.saved(EVERY_MINUTE)  # 09:01:59
        await asyncio.sleep(62)
        await site.saved({**EVERY_MINUTE, "enabled": False})  # 09:03:01
        await asyncio.sleep(118.5)
        await site.saved(EVERY_MINUTE)  # 09:04:59.5

    site.runs(30, meanwhile)

    assert [one[:8] for one in site.times] == ["05 09:02", "05 09:03", "05 09:05"]


def test_an_edit_just_before_or_after_a_due_time_neither_loses_nor_repeats_it() -> None:
    site = Site(plugin)
    site.save(EVERY_MINUTE)

    async def meanwhile(_: Services) -> None:
        await asyncio.sleep(59.5)
        await site.saved(EVERY_MINUTE, description="before")
        await asyncio.sleep(61)
        await site.saved(EVERY_MINUTE, description="after")  # 09:02:00.5

    site.runs(70, meanwhile)

    assert site.times == ["05 09:01:00", "05 09:02:00", "05 09:03:00"]
    assert site.started[0].head.initial_config["description"] == "before"


def test_times_within_a_minute_of_absence_are_caught_up_with_and_longer_ones_are_left_out() -> None:
    site = Site(plugin)
    site.save(EVERY_MINUTE)
    site.runs(65)
    site.is_down(75)  # 09:02:20
    site.runs(1)
    site.is_down(300)

    with capture_logs() as logs:
        site.runs(1)

    assert [one[:8] for one in site.times] == ["05 09:01", "05 09:02", "05 09:07"]
    (missed,) = [line for line in logs if line["event"] == "cron.missed"]
    assert (missed["due"], missed["is_made_up_for"]) == ("2026-01-05T17:06:00+00:00", False)


@pytest.mark.parametrize(
    ("catches_up", "absence", "has_run", "expected"),
    [
        (0, 300, True, ["05 09:31"]),
        (600, 300, True, ["05 09:31", "05 10:35"]),
        (600, 900, True, ["05 09:31"]),
        (600, 300, False, []),
    ],
)
def test_the_last_missed_time_is_made_up_for_if_that_is_wanted(
    *, catches_up: float, absence: float, has_run: bool, expected: list[str]
) -> None:
    site = Site(plugin, cron_catch_up_seconds=catches_up)
    site.save({**EVERY_MINUTE, "cronExpression": "0 31 9 ? * MON"} if has_run else {**EVERY_MINUTE, "enabled": False})
    site.runs(3600)
    site.save({**EVERY_MINUTE, "cronExpression": "0 30 10 ? * MON"})
    site.runs(1790)  # 10:29:50
    site.is_down(absence + 10)

    site.runs(61)

    assert [one[:8] for one in site.times] == expected


def test_a_server_that_is_killed_while_it_starts_things_starts_each_once() -> None:
    site = Site(plugin)
    for name in ("p", "q", "r"):
        site.save({**EVERY_MINUTE, "cronExpression": "0 1 9 ? * MON"}, name=name)
    # Each new process finds what its forerunner has submitted, so it dies at another pipeline's submission.
    for point in ("commit.before:Submitted", "commit.after:Submitted", "commit.after:Submitted#2"):
        site.harness.probe.kill_at([point])
        with pytest.raises(BaseExceptionGroup) as caught:
            site.runs(62)
        assert caught.group_contains(Killed)
    site.harness.probe.kill_at([])

    site.runs(10)

    assert sorted(one.head.name for one in site.started) == ["p", "q", "r"]


def test_two_servers_that_both_think_it_is_theirs_start_each_time_once() -> None:
    site = Site()
    site.save(EVERY_MINUTE)

    async def meanwhile(services: Services) -> None:
        zone = firing.zone_of(services)
        watches = [firing.Watch(services, zone), firing.Watch(services, zone)]
        for _ in range(21):
            await asyncio.gather(*(watch.look() for watch in watches))
            await asyncio.sleep(9)

    site.runs(0, meanwhile)

    assert [one[:8] for one in site.times] == ["05 09:01", "05 09:02", "05 09:03"]


def test_who_may_not_start_it_is_recorded_and_holds_up_nobody() -> None:
    site = Site(plugin)
    site.save(EVERY_MINUTE, name="a", application="closed")
    site.save(EVERY_MINUTE, name="b")
    permissions: JsonObject = {right.value.upper(): ["owners"] for right in Right}
    for name, body in (("closed", {"name": "closed", "permissions": permissions}), ("shop", {"name": "shop"})):
        asyncio.run(site.harness.definitions.save("application", name, body, author="ada"))
    site.harness.settings = replace(site.harness.settings, sign_in=SignInSettings(required=True))

    site.runs(61)

    assert [one.head.name for one in site.started] == ["b"]
    refused = [one for one in asyncio.run(site.harness.audit.records()) if one.entry.action == "execution.refused"]
    assert [(one.entry.actor, one.entry.subject) for one in refused] == [("anonymous", "pipeline:a")]


def test_one_pipeline_that_cannot_fire_holds_up_nobody_and_is_told_once() -> None:
    site = Site(plugin)
    site.save({**EVERY_MINUTE, "cronExpression": "every day"}, name="a")
    site.save({**EVERY_MINUTE, "cronExpression": "0 0 9 * * ? 2020"}, name="b")
    site.save(EVERY_MINUTE, name="c")

    with capture_logs() as logs:
        site.runs(61)

    assert [one.head.name for one in site.started] == ["c"]
    assert [line["pipeline"] for line in logs if line["event"] == "cron.never_fires"] == ["a", "b"]


def test_an_application_in_shadow_gets_dry_runs_only() -> None:
    site = Site(plugin)
    site.save(EVERY_MINUTE)
    standing = Standing(application="shop", phase=Phase.SHADOW, since=BEGINS, by="ada", imported_at=BEGINS)
    asyncio.run(site.harness.built().phases.put(standing))

    site.runs(61)

    (execution,) = site.started
    assert execution.head.trigger["dryRun"] is True
    assert execution.head.trigger["shadow"] is True


def test_a_trigger_of_a_template_counts_from_when_the_template_has_it() -> None:
    site = Site(plugin)
    stages: list[Any] = [make.stage_json("w", type="wait", waitTime=1)]
    template: JsonObject = {"schema": "v2", "id": "t", "variables": [], "pipeline": {"stages": stages}}
    use: JsonObject = {
        "schema": "v2",
        "type": "templatedPipeline",
        "application": "shop",
        "name": "p",
        "template": {"reference": "spinnaker://t"},
    }
    asyncio.run(site.harness.definitions.save("template", "t", template, author="ada"))
    asyncio.run(site.harness.definitions.save("pipeline", "p", use, author="ada"))

    async def meanwhile(services: Services) -> None:
        await asyncio.sleep(605)  # 09:10:05
        body: JsonObject = {**template, "pipeline": {"stages": stages, "triggers": [EVERY_MINUTE]}}
        await services.definitions.save("template", "t", body, author="ada")

    with capture_logs() as logs:
        site.runs(60, meanwhile)

    assert [one[:8] for one in site.times] == ["05 09:11"]
    assert [line for line in logs if line["event"] == "cron.missed"] == []


@pytest.mark.parametrize("is_started_again", [False, True])
def test_a_clock_that_was_a_year_ahead_and_is_put_back_silences_nothing(is_started_again: bool) -> None:
    site = Site()
    site.save(EVERY_MINUTE)

    async def story(services: Services) -> None:
        clock = Ahead(services)
        zone = firing.zone_of(services)
        watch = firing.Watch(replace(services, clock=clock), zone)
        await watch.look()
        clock.ahead = timedelta(days=365)
        await watch.look()
        clock.ahead = timedelta()
        if is_started_again:
            watch = firing.Watch(replace(services, clock=clock), zone)
        assert await watch.look() <= clock.now() + timedelta(seconds=10)
        await asyncio.sleep(60)
        await watch.look()

    site.runs(meanwhile=story)
    assert site.times == ["05 09:00:00", "05 09:01:00"]  # the first by the wrong clock


class Ahead:
    """A clock that may be wrong."""

    def __init__(self, services: Services) -> None:
        self._right = services.clock
        self.ahead = timedelta()

    def now(self) -> datetime:
        return self._right.now() + self.ahead

    async def sleep_until(self, at: datetime) -> None:
        await self._right.sleep_until(at - self.ahead)
