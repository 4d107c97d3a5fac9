"""The webhook stage against a real HTTP server: what it sends, what it keeps, when it waits, fails and gives up."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests import make
from tests.fakes.http_target import Answer, Asked, Respond, Target, running, scripted
from tests.harness import TESTER, Harness, problem_of, reached

from gennaker.interfaces.services import Services
from gennaker.model.event import CancelAsked
from gennaker.model.execution import Execution, Stage
from gennaker.model.statuses import Status
from gennaker.plugins.webhook import plugin as webhook
from gennaker.settings import Settings

AFTERWARDS = timedelta(seconds=1)
"""Stopping goes on when the execution has ended."""
FINE = Answer(body={"id": 7, "state": "queued"})


@pytest.fixture
def target() -> Iterator[Target]:
    with running(scripted(FINE)) as one:
        yield one


def run(
    target: Target, *, allowed: bool = True, kill_at: tuple[str, ...] = (), meanwhile: Any = None, **keys: Any
) -> Execution:
    stage = make.stage_json("w", type="webhook", **{"url": f"{target.url}/do", **keys})
    settings = Settings(webhook_hosts=(target.address,) if allowed else ())
    harness = Harness(webhook.plugin, settings=settings)
    config = make.config(stage, spelEvaluator="v4")  # expressions are evaluated when the stage starts
    return harness.run(config, kill_at=kill_at, meanwhile=meanwhile, afterwards=AFTERWARDS)


def stage_of(execution: Execution) -> Stage:
    return next(execution.in_order())


def kept(execution: Execution) -> Any:
    return stage_of(execution).context.get("webhook")


def routes(table: dict[str, list[Answer]]) -> Respond:
    left = {route: scripted(*answers) for route, answers in table.items()}

    def respond(asked: Asked) -> Answer:
        return left[f"{asked.method} {asked.path}"](asked)

    return respond


def test_it_posts_the_payload_and_keeps_the_answer_in_orcas_form(target: Target) -> None:
    execution = run(
        target, payload={"version": "${'1.' + '2'}"}, customHeaders={"X-One": "1", "X-SPINNAKER-USER": "eve"}
    )

    [asked] = target.asked
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert (asked.method, asked.path, asked.json) == ("POST", "/do", {"version": "1.2"})
    assert (asked.headers["x-one"], asked.headers["content-type"]) == ("1", "application/json")
    assert "x-spinnaker-user" not in asked.headers
    webhook = kept(execution)
    assert (webhook["statusCode"], webhook["statusCodeValue"], webhook["body"]) == ("OK", 200, FINE.body)
    assert webhook["headers"]["Content-Length"] == str(len(b'{"id": 7, "state": "queued"}'))
    assert [task.name for task in stage_of(execution).tasks] == ["createWebhook"]


def test_an_address_inside_is_refused_and_nothing_is_sent(target: Target) -> None:
    execution = run(target, allowed=False)

    assert execution.head.status is Status.TERMINAL
    assert "webhook-hosts" in problem_of(execution)
    assert target.asked == []


def test_a_status_url_or_cancel_endpoint_inside_is_refused_as_well(target: Target) -> None:
    target.respond = scripted(Answer(body={"at": "http://169.254.169.254/latest"}))

    execution = run(target, waitForCompletion=True, statusUrlResolution="webhookResponse", statusUrlJsonPath="$.at")

    assert execution.head.status is Status.TERMINAL
    assert "169.254.169.254" in problem_of(execution)


@pytest.mark.parametrize(
    ("answers", "keys", "status", "calls"),
    [
        *(((Answer(status=status),), {}, Status.TERMINAL, 1) for status in (400, 401, 404, 409, 504)),
        *(((Answer(status=status), FINE), {}, Status.SUCCEEDED, 2) for status in (429, 500, 502, 503)),
        *(((Answer(status=status),), {}, Status.SUCCEEDED, 1) for status in (201, 204, 304)),
        ((Answer(status=404), FINE), {"webhookRetryStatusCodes": [404]}, Status.SUCCEEDED, 2),
        ((Answer(status=503), Answer(status=429), FINE), {}, Status.SUCCEEDED, 3),
        ((Answer(status=503), FINE), {"failFastStatusCodes": ["503"]}, Status.TERMINAL, 1),
        ((Answer(status=504), FINE), {"failFastStatusCodes": []}, Status.SUCCEEDED, 2),
    ],
)
def test_statuses_decide_between_the_end_and_another_try(
    target: Target, answers: tuple[Answer, ...], keys: dict[str, Any], status: Status, calls: int
) -> None:
    target.respond = scripted(*answers)

    execution = run(target, **keys)

    assert (execution.head.status, len(target.asked)) == (status, calls)


def test_it_gives_up_after_five_minutes(target: Target) -> None:
    target.respond = scripted(Answer(status=503))

    execution = run(target)

    assert execution.head.status is Status.TERMINAL
    assert "timed out after 5 minutes" in problem_of(execution)
    assert len(target.asked) == 30


def test_a_post_without_an_answer_is_unknown_and_not_sent_again(target: Target) -> None:
    target.respond = scripted(Answer(is_dropped=True))

    execution = run(target)

    assert execution.head.status is Status.TERMINAL
    assert "may have done its work" in problem_of(execution)
    assert len(target.asked) == 1


def test_a_get_without_an_answer_is_sent_again(target: Target) -> None:
    target.respond = scripted(Answer(is_dropped=True), FINE)

    execution = run(target, method="get")

    assert execution.head.status is Status.SUCCEEDED
    assert target.paths() == ["GET /do", "GET /do"]


def test_after_a_crash_the_call_is_repeated_once_with_the_same_delivery_and_then_unknown(target: Target) -> None:
    after = "effect.after:RunTask:webhook.createWebhook"

    once = run(target, kill_at=(after,))
    deliveries = [(a.headers["x-gennaker-delivery"], a.headers.get("x-gennaker-repeat")) for a in target.asked]
    twice = run(target, kill_at=(after, f"{after}#2"))

    assert once.head.status is Status.SUCCEEDED
    assert [repeat for _, repeat in deliveries] == [None, "true"]
    assert len({delivery for delivery, _ in deliveries}) == 1
    assert twice.head.status is Status.TERMINAL
    assert "outcome is unknown" in problem_of(twice)


@pytest.mark.parametrize(
    ("resolution", "first"),
    [
        ({"statusUrlResolution": "locationHeader"}, Answer(status=202, headers={"Location": "/jobs/7"})),
        (
            {"statusUrlResolution": "webhookResponse", "statusUrlJsonPath": "$.links.status"},
            Answer(body={"links": {"status": "/jobs/7"}}),
        ),
    ],
)
def test_it_waits_until_the_status_is_a_success(target: Target, resolution: dict[str, Any], first: Answer) -> None:
    states = [Answer(body={"s": {"state": state}, "done": "half"}) for state in ("Running", "running", "Done")]
    target.respond = routes({"POST /do": [first], "GET /jobs/7": states})

    execution = run(
        target,
        waitForCompletion="true",
        statusJsonPath="$.s.state",
        progressJsonPath="$.done",
        successStatuses="ok, DONE",
        customHeaders={"X-One": "1"},
        **resolution,
    )

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert target.paths() == ["POST /do", *["GET /jobs/7"] * 3]
    assert target.asked[-1].headers["x-one"] == "1"
    assert stage_of(execution).context["statusEndpoint"] == f"{target.url}/jobs/7"
    assert kept(execution)["monitor"]["body"] == {"s": {"state": "Done"}, "done": "half"}
    assert kept(execution)["monitor"]["progressMessage"] == "half"


@pytest.mark.parametrize(
    ("state", "status"),
    [("CANCELLED", Status.CANCELED), ("broken", Status.TERMINAL), (100, Status.SUCCEEDED), (True, Status.SUCCEEDED)],
)
def test_words_and_numbers_decide_how_it_ends(target: Target, state: Any, status: Status) -> None:
    target.respond = scripted(Answer(body={"state": state}))

    execution = run(
        target,
        method="GET",
        waitForCompletion=True,
        statusJsonPath="$.state",
        successStatuses="true",
        canceledStatuses="cancelled",
        terminalStatuses="broken",
    )

    assert execution.head.status is status


def test_a_missing_status_fails_with_the_path(target: Target) -> None:
    execution = run(target, method="GET", waitForCompletion=True, statusJsonPath="$.nowhere.state")

    assert execution.head.status is Status.TERMINAL
    assert "Unable to parse status: JSON property '$.nowhere.state' not found in response body" in problem_of(execution)


def test_numbers_below_a_hundred_are_progress(target: Target) -> None:
    target.respond = scripted(FINE, *(Answer(body={"p": percent}) for percent in (20, 99.5, 100.0, 100)))

    execution = run(target, waitForCompletion=True, statusJsonPath="$.p", waitBeforeMonitor="90")

    assert execution.head.status is Status.SUCCEEDED
    assert [task.name for task in stage_of(execution).tasks] == [
        "createWebhook",
        "waitBeforeMonitorWebhook",
        "monitorWebhook",
    ]
    assert kept(execution)["monitor"]["percentComplete"] == 100


@pytest.mark.parametrize(
    ("answer", "keys", "is_asked_again"),
    [
        *((Answer(status=status), {}, True) for status in (429, 500, 502, 503, 504)),
        *((Answer(status=status), {}, False) for status in (400, 401, 404, 409)),
        (Answer(status=404), {"retryStatusCodes": [404]}, True),
        (Answer(status=404), {"webhookRetryStatusCodes": [404]}, False),
        (Answer(status=503), {"retries": {"503": {"maxAttempts": 1}}}, True),
        (Answer(status=503), {"retries": {"503": {"maxAttempts": 0}}}, False),
        (Answer(is_dropped=True), {}, True),
    ],
)
def test_a_failed_look_at_the_status_is_made_again_or_ends_the_watch(
    target: Target, answer: Answer, keys: dict[str, Any], is_asked_again: bool
) -> None:
    target.respond = scripted(FINE, answer, FINE)

    execution = run(target, waitForCompletion=True, **keys)

    expected = (Status.SUCCEEDED, 3) if is_asked_again else (Status.TERMINAL, 2)
    assert (execution.head.status, len(target.asked)) == expected


@pytest.mark.parametrize("url", ["http://nowhere.invalid/do", "http://127.0.0.1:1/do"])
def test_one_that_cannot_be_reached_is_called_again_until_the_time_is_up(url: str) -> None:
    harness = Harness(webhook.plugin, settings=Settings(webhook_hosts=("127.0.0.1:1",)))

    execution = harness.run(make.config(make.stage_json("w", type="webhook", url=url)))

    assert execution.head.status is Status.TERMINAL
    assert "timed out after 5 minutes" in problem_of(execution)


@pytest.mark.parametrize("url", ["nonsense", "ftp://files.example.org/x", "http://user:pw@e.example.org/x"])
def test_a_call_that_cannot_be_made_fails_at_once(target: Target, url: str) -> None:
    execution = run(target, url="${'" + url + "'}")

    assert execution.head.status is Status.TERMINAL
    assert stage_of(execution).tasks[0].poll == 0


def test_a_budget_for_a_status_overrides_the_rest(target: Target) -> None:
    gone = Answer(status=404)
    target.respond = scripted(FINE, gone, Answer(status=500), gone, gone, FINE)

    execution = run(target, waitForCompletion=True, retryStatusCodes=[404], retries={"404": {"maxAttempts": 2}})

    assert (execution.head.status, len(target.asked)) == (Status.TERMINAL, 5)
    assert kept(execution)["monitor"]["pastStatusCodes"] == [404, 500, 404]


def test_monitor_only_asks_the_url_and_needs_waiting(target: Target) -> None:
    watched = run(target, monitorOnly=True, waitForCompletion=True)
    refused = run(target, monitorOnly=True)

    assert watched.head.status is Status.SUCCEEDED
    assert target.paths() == ["GET /do"]
    assert "monitorOnly" in problem_of(refused)


def test_cancelling_calls_the_cancel_endpoint_with_what_the_answer_said(target: Target) -> None:
    target.respond = routes(
        {"POST /do": [FINE], "GET /do": [Answer(body={"s": "busy"})], "PUT /cancel/7": [Answer(status=204)]}
    )

    async def cancel(services: Services, execution_id: str) -> None:
        await reached(services, execution_id, "webhook", task="monitorWebhook")
        await services.executions.tell(execution_id, CancelAsked(at=services.clock.now(), by="ada"), TESTER)

    execution = run(
        target,
        meanwhile=cancel,
        waitForCompletion=True,
        statusJsonPath="$.s",
        cancelEndpoint=f"{target.url}/cancel/${{webhook.body.id}}",
        cancelMethod="put",
        cancelPayload={"why": "cancelled"},
    )

    assert execution.head.status is Status.CANCELED
    assert (target.paths()[-1], target.asked[-1].json) == ("PUT /cancel/7", {"why": "cancelled"})


def test_a_failed_watch_calls_the_cancel_endpoint(target: Target) -> None:
    target.respond = routes({"POST /do": [FINE], "GET /do": [Answer(status=400)], "POST /cancel": [FINE]})

    execution = run(target, waitForCompletion=True, cancelEndpoint=f"{target.url}/cancel")

    assert execution.head.status is Status.TERMINAL
    assert target.paths()[-1] == "POST /cancel"


def test_artifacts_of_the_answer_are_bound(target: Target) -> None:
    made = {"type": "docker/image", "name": "shop", "reference": "shop:2", "size": 5}
    target.respond = scripted(Answer(body={"artifacts": [made]}))
    expected = [{"id": "e", "matchArtifact": {"type": "docker/image", "name": "shop"}}]

    bound = run(target, expectedArtifacts=expected)
    target.respond = scripted(FINE)
    none = run(target, expectedArtifacts=expected)

    outputs = stage_of(bound).outputs
    assert bound.head.status is Status.SUCCEEDED, problem_of(bound)
    assert [one["reference"] for one in outputs["artifacts"]] == ["shop:2"]  # type: ignore[union-attr, index, call-overload]  # JSON
    assert "none were found" in problem_of(none)


def test_secrets_that_were_sent_are_masked_in_what_is_kept(target: Target) -> None:
    target.respond = lambda asked: Answer(
        body={"echo": asked.headers["authorization"], "tokens": [f"x-{asked.headers['x-token']}"]},
        headers={"Set-Cookie": "session=abc", "X-Echo": asked.headers["x-token"]},
    )

    execution = run(target, customHeaders={"Authorization": "Bearer s3cret-one", "X-Token": "s3cret-two"})

    webhook = kept(execution)
    assert "s3cret" not in str(webhook)
    assert webhook["body"] == {"echo": "****", "tokens": ["x-****"]}
    assert (webhook["headers"]["Set-Cookie"], webhook["headers"]["X-Echo"]) == ("****", "****")


def test_an_answer_that_is_too_large_fails(target: Target) -> None:
    target.respond = scripted(Answer(body=b"x" * 1_000_001))

    execution = run(target)

    assert execution.head.status is Status.TERMINAL
    assert "larger than 1000000 bytes" in problem_of(execution)


def test_text_is_kept_as_it_is_and_another_method_refused(target: Target) -> None:
    target.respond = scripted(Answer(body=b"fine"))

    text = run(target)
    odd = run(target, method="${'TRACE'}")

    assert kept(text)["body"] == "fine"
    assert "no method" in problem_of(odd)
