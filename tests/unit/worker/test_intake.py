"""Intake: webhooks and manual starts become executions, each once; refusals are recorded."""

import asyncio
import hashlib
import hmac
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from structlog.processors import CallsiteParameter, CallsiteParameterAdder
from structlog.testing import capture_logs
from tests import make, waiting
from tests.fakes import scripted
from tests.fakes.scripted import Target
from tests.harness import Harness

from gennaker.interfaces.intake import Answer, Delivery, OutsideEvent
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.execution import Execution
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.plugins.flow import plugin as flow
from gennaker.triggers import matching

SECRET = "s3cret"
GIT: JsonObject = {
    "enabled": True,
    "type": "git",
    "source": "github",
    "project": "acme",
    "slug": "store",
    "secret": SECRET,
}


def push(**fields: Any) -> dict[str, Any]:
    return {
        "ref": "refs/heads/main",
        "before": "a" * 40,
        "after": "b" * 40,
        "repository": {"name": "store", "owner": {"name": "acme", "login": "acme"}, "contents_url": "x/{+path}"},
        "commits": [{"id": "b" * 40, "added": ["services/shop/a.py"], "modified": [], "removed": []}],
        **fields,
    }


def delivery(body: Any, *, kind: str = "git", source: str = "github", secret: str = "", **headers: str) -> Delivery:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.lower().replace("_", "-"): [value] for name, value in headers.items()}
    if secret:
        named["x-hub-signature-256"] = ["sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()]
    return Delivery(type=kind, source=source, headers=named, raw=raw, received_at=make.AT)


class Site:
    """An installation with pipelines."""

    def __init__(self, **triggers: JsonObject) -> None:
        self.harness = Harness(flow.plugin, scripted.plugin(Target()))
        for name, trigger in triggers.items():
            self.save(name, {"triggers": [trigger]})

    def save(self, name: str, body: JsonObject) -> None:
        stages: list[Any] = [make.stage_json("make", type="make")]
        whole: JsonObject = {"application": "shop", "name": name, "stages": stages, **body}
        asyncio.run(self.harness.definitions.save("pipeline", name, whole, author="ada"))

    def do(self, work: Callable[[Services], Awaitable[None]]) -> None:
        self.harness.do(work)

    def deliver(self, *deliveries: Delivery) -> list[Answer]:
        answers = []

        async def work(services: Services) -> None:
            answers.extend([await services.intake.deliver(one) for one in deliveries])

        self.do(work)
        return answers

    def started(self) -> list[Execution]:
        return list(self.harness.executions())


def unwrapped(error: BaseException) -> Refused:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Refused)
    return error


def refused(site: Site, one: Delivery) -> Refused:
    with pytest.raises((Refused, ExceptionGroup)) as caught:
        site.deliver(one)
    return unwrapped(caught.value)


# -- signatures -------------------------------------------------------------------------------------------------------


def test_a_signed_push_starts_what_it_triggers() -> None:
    site = Site(build=GIT)

    (answer,) = site.deliver(delivery(push(), secret=SECRET, x_github_delivery="d-1"))

    assert (answer.status, answer.body) == (200, {"eventProcessed": True, "eventId": "d-1"})
    (execution,) = site.started()
    trigger = execution.head.trigger
    assert (trigger["hash"], trigger["branch"], trigger["eventId"]) == ("b" * 40, "main", "d-1")
    assert execution.head.origin == "trigger:git"


def test_the_secret_is_in_nothing_that_an_execution_leaves() -> None:
    site = Site(build=GIT)

    site.deliver(delivery(push(), secret=SECRET))

    (execution,) = site.started()
    assert execution.head.initial_config["name"] == "build"
    events = asyncio.run(site.harness.journal.events(execution.head.id))
    assert len(events) > 1
    for left in (execution, events, site.harness.journal.audit):
        assert SECRET not in repr(left)


@pytest.mark.parametrize("secret", ["", "wrong"])
def test_a_delivery_that_only_lacks_its_signature_gets_401_an_audit_record_and_starts_nothing(secret: str) -> None:
    site = Site(build=GIT)

    (answer,) = site.deliver(delivery(push(), secret=secret, x_github_delivery="d-1"))

    assert answer.status == 401
    assert answer.body["eventProcessed"] is False
    assert answer.body["code"] == "webhook.signature"
    assert site.started() == []
    (entry,) = [record.entry for record in asyncio.run(site.harness.audit.records())]
    assert (entry.action, entry.subject) == ("webhook.refused", "webhook:git/github")
    assert entry.details == {"reason": "signature", "triggers": 1, "eventId": "d-1", "address": ""}


def test_a_delivery_that_some_trigger_takes_is_answered_200_and_starts_only_that() -> None:
    site = Site(build=GIT, open={key: value for key, value in GIT.items() if key != "secret"})

    (answer,) = site.deliver(delivery(push()))

    assert answer.status == 200
    assert [one.head.name for one in site.started()] == ["open"]


def test_a_delivery_that_matches_nothing_but_for_its_signature_is_answered_200() -> None:
    site = Site(build={**GIT, "branch": "release-.*"}, other={**GIT, "paths": ["services/cart/**"]})

    (answer,) = site.deliver(delivery(push(), secret="wrong"))

    assert (answer.status, answer.body["eventProcessed"]) == (200, True)
    assert site.started() == []


def test_a_delivery_whose_artifacts_would_not_do_is_no_matter_of_signatures() -> None:
    site = Site()
    expected: JsonObject = {"id": "e", "matchArtifact": {"type": "github/file", "name": "never"}}
    site.save("picky", {"triggers": [{**GIT, "expectedArtifactIds": ["e"]}], "expectedArtifacts": [expected]})

    (answer,) = site.deliver(delivery(push(), secret="wrong"))

    assert answer.status == 200


def test_the_signature_is_made_over_the_bytes_that_arrived() -> None:
    site = Site(build=GIT)
    spaced = json.dumps(push(), indent=3).encode()

    (answer,) = site.deliver(delivery(spaced, secret=SECRET))

    assert answer.status == 200
    assert len(site.started()) == 1


# -- once -------------------------------------------------------------------------------------------------------------


def test_the_same_delivery_twice_starts_once() -> None:
    site = Site(build=GIT)

    site.deliver(*[delivery(push(), secret=SECRET, x_github_delivery="d-1")] * 3)

    assert len(site.started()) == 1


def test_two_deliveries_with_ids_of_their_own_start_twice() -> None:
    site = Site(build=GIT)

    site.deliver(*(delivery(push(), secret=SECRET, x_github_delivery=str(n)) for n in range(2)))

    assert len(site.started()) == 2


def test_two_identical_triggers_of_one_pipeline_start_it_once() -> None:
    site = Site()
    site.save("build", {"triggers": [GIT, GIT]})

    site.deliver(delivery(push(), secret=SECRET))

    assert len(site.started()) == 1


def test_an_event_taken_twice_gives_the_same_executions() -> None:
    site = Site(deliver={"enabled": True, "type": "docker", "account": "r", "repository": "shop"})
    event = OutsideEvent(
        type="docker",
        content={
            "account": "r",
            "registry": "h",
            "repository": "shop",
            "tag": "1",
            "digest": "d",
            "pinned": "h/shop@d",
        },
        event_id="docker/r/shop/1/d",
        at=make.AT,
    )
    found: list[tuple[str, ...]] = []

    async def work(services: Services) -> None:
        found.append(await services.intake.take(event))
        found.append(await services.intake.take(event))

    site.do(work)

    assert len(found[0]) == 1
    assert found[0] == found[1]
    (execution,) = site.started()
    assert execution.head.trigger["artifacts"] == [
        {"type": "docker/image", "name": "h/shop", "version": "1", "reference": "h/shop@d"}
    ]


# -- what must not go on ----------------------------------------------------------------------------------------------


def test_a_ping_is_answered_and_goes_no_further() -> None:
    (answer,) = Site(build=GIT).deliver(delivery(push(hook_id=1, zen="…")))

    assert (answer.status, answer.body) == (200, {"eventProcessed": False, "eventId": None})


def test_a_ping_of_a_hook_that_is_no_repositorys_is_answered() -> None:
    body = {"zen": "…", "hook": {"type": "App"}}

    (answer,) = Site(build=GIT).deliver(delivery(body, x_github_event="ping"))

    assert (answer.status, answer.body) == (200, {"eventProcessed": False, "eventId": None})


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "webhook.empty"),
        (b"  \n", "webhook.empty"),
        (b"{", "webhook.not_json"),
        (b"\xff\xfe{}", "webhook.not_json"),
        (b"[" * 100_000, "webhook.not_json"),
        (b'{"a":' * 100_000, "webhook.not_json"),
        (b"[]", "webhook.not_object"),
        (b'"text"', "webhook.not_object"),
        (b"null", "webhook.not_object"),
        (b"{}", "webhook.incomplete"),
        (b'{"repository": 5}', "webhook.incomplete"),
    ],
)
def test_a_body_that_is_none_is_refused(raw: bytes, code: str) -> None:
    error = refused(Site(build=GIT), delivery(raw))

    assert (error.status, error.problems[0].code) == (400, code)


def test_an_empty_body_of_bitbucket_is_a_test_of_the_connection() -> None:
    (answer,) = Site(build=GIT).deliver(delivery(b"", source="bitbucket"))

    assert answer.body["eventProcessed"] is False


def test_an_unknown_host_is_refused_with_the_known_ones() -> None:
    error = refused(Site(), delivery({}, source="sourceforge"))

    assert error.problems[0].code == "webhook.unknown_source"
    assert "github, gitlab, stash" in str(error)


def test_an_artifact_that_can_not_be_read_is_refused() -> None:
    error = refused(Site(), delivery({"artifacts": [{"type": {"no": 1}}]}, kind="webhook", source="ci"))

    assert error.problems[0].pointer == "/artifacts"


def test_one_unreadable_pipeline_does_not_keep_the_others_from_starting() -> None:
    site = Site(build=GIT)
    expected: JsonObject = {"id": "e", "matchArtifact": {"type": {"no": 1}}}
    site.save("broken", {"triggers": [{**GIT, "expectedArtifactIds": ["e"]}], "expectedArtifacts": [expected]})

    (answer,) = site.deliver(delivery(push(), secret=SECRET))

    assert answer.status == 200
    assert [one.head.name for one in site.started()] == ["build"]


def test_patterns_are_looked_for_by_a_thread_and_one_that_would_cost_too_much_is_said() -> None:
    constraints: JsonObject = {"text": r"((a+)+)\2b"}
    site = Site(build={"enabled": True, "type": "webhook", "source": "ci", "payloadConstraints": constraints})
    threads = CallsiteParameterAdder({CallsiteParameter.THREAD})

    with capture_logs([threads]) as lines:
        (answer,) = site.deliver(delivery({"text": "a" * 300}, kind="webhook", source="ci"))

    assert answer.status == 200
    assert site.started() == []
    (line,) = [line for line in lines if line["event"] == "trigger.undecided"]
    assert "could run for ever" in line["reason"]
    assert line["thread"] != threading.get_ident()


class Slow:
    """Compares an event with a pipeline like `matching.match`, but not before it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self.may = threading.Event()
        self._match = matching.match
        monkeypatch.setattr(matching, "match", self)

    def __call__(self, *given: Any) -> matching.Matches:
        self.calls += 1
        assert self.may.wait(waiting.IN_VAIN_SECONDS)
        return self._match(*given)


def test_an_event_that_has_waited_is_compared_with_pipelines_as_they_are_then(monkeypatch: pytest.MonkeyPatch) -> None:
    site, slow = Site(build=GIT), Slow(monkeypatch)

    async def work(services: Services) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(services.intake.deliver(delivery(push(), secret=SECRET, x_github_delivery="d-1")))
            await waiting.until(lambda: slow.calls == 1, "the first comparison")
            group.create_task(services.intake.deliver(delivery(push(), secret=SECRET, x_github_delivery="d-2")))
            for _ in range(100):
                await asyncio.sleep(0)
            (build,) = await services.definitions.list("pipeline")
            disabled = {**build.body, "disabled": True}
            await services.definitions.save("pipeline", build.id, disabled, author="ada")
            slow.may.set()

    site.do(work)

    assert [one.head.trigger["eventId"] for one in site.started()] == ["d-1"]


def test_pipelines_are_compared_no_longer_where_nobody_wants_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    site, slow = Site(one=GIT, other=GIT), Slow(monkeypatch)

    async def work(services: Services) -> None:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(services.intake.deliver(delivery(push(), secret=SECRET)))
            await waiting.until(lambda: slow.calls == 1, "the first comparison")
            asking.cancel()
            await asyncio.wait([asking])
            slow.may.set()

    site.do(work)

    assert slow.calls == 1
    assert site.started() == []


def test_a_disabled_pipeline_is_not_started() -> None:
    site = Site()
    site.save("build", {"triggers": [GIT], "disabled": True})

    site.deliver(delivery(push(), secret=SECRET))

    assert site.started() == []


# -- other webhooks ---------------------------------------------------------------------------------------------------


def test_a_webhook_trigger_gets_the_body_as_payload() -> None:
    hook: JsonObject = {
        "enabled": True,
        "type": "webhook",
        "source": "ci",
        "payloadConstraints": {"$.build.status": "^ok$"},
    }
    site = Site(hook=hook)

    site.deliver(
        delivery({"build": {"status": "ok"}, "parameters": {"a": "1"}}, kind="webhook", source="ci"),
        delivery({"build": {"status": "not ok"}}, kind="webhook", source="ci"),
    )

    (execution,) = site.started()
    assert execution.head.trigger["payload"] == {"build": {"status": "ok"}, "parameters": {"a": "1"}}
    assert execution.head.trigger["parameters"] == {"a": "1"}


def test_the_source_may_stand_in_the_body() -> None:
    site = Site(hook={"enabled": True, "type": "webhook", "source": "ci"})

    site.deliver(delivery({"source": "ci"}, kind="webhook", source=""))

    assert len(site.started()) == 1


# -- by hand ----------------------------------------------------------------------------------------------------------


def start(site: Site, name: str, trigger: JsonObject) -> Execution:
    found: list[str] = []

    async def work(services: Services) -> None:
        found.append(await services.intake.start("shop", name, trigger, Principal(name="ada", via="cli")))

    try:
        site.do(work)
    except ExceptionGroup as group:
        raise unwrapped(group) from None
    return next(one for one in site.started() if one.head.id == found[0])


def test_a_pipeline_is_started_by_name_or_id_as_whoever_asks() -> None:
    site = Site()
    site.save("by-id", {"name": "By name"})

    by_name = start(site, "By name", {"type": "manual", "user": "someone else"})
    by_id = start(site, "by-id", {})

    assert by_name.head.trigger["user"] == by_id.head.trigger["user"] == "ada"
    assert by_name.head.trigger["type"] == "manual"
    assert by_name.head.pipeline_config_id == by_id.head.pipeline_config_id == "by-id"


@pytest.mark.parametrize(
    ("body", "trigger", "code"),
    [
        ({"disabled": True}, {}, "pipeline.disabled"),
        ({"parameterConfig": [{"name": "p", "required": True}]}, {}, "parameter.required"),
        (
            {"parameterConfig": [{"name": "p", "hasOptions": True, "options": [{"value": "a"}]}]},
            {"parameters": {"p": "b"}},
            "parameter.not_an_option",
        ),
    ],
)
def test_what_speaks_against_a_start_is_said(body: JsonObject, trigger: JsonObject, code: str) -> None:
    site = Site()
    site.save("p", body)

    with pytest.raises(Refused) as caught:
        start(site, "p", trigger)

    assert [problem.code for problem in caught.value.problems] == [code]


def test_an_unknown_pipeline_is_refused_with_the_known_ones() -> None:
    site = Site()
    site.save("one", {})

    with pytest.raises(Refused, match=r"no pipeline 'two'. It has: one\.") as caught:
        start(site, "two", {})
    assert caught.value.status == 404
    with pytest.raises(Refused, match=r"no pipeline 'onne'. Did you mean 'one'\? It has: one\."):
        start(site, "onne", {})


def test_notifications_of_the_start_are_added_to_the_pipelines() -> None:
    site = Site()
    site.save("p", {"notifications": [{"type": "test", "address": "a"}]})

    execution = start(site, "p", {"notifications": [{"type": "test", "address": "b"}]})

    assert [one["address"] for one in execution.head.notifications] == ["a", "b"]
