"""Preconfigured webhooks: stage types of the settings, what pipelines may and may not decide."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import make
from tests.fakes.http_target import Answer, Target, running, scripted
from tests.harness import Harness, ended, problem_of

from gennaker.interfaces.executions import Submission
from gennaker.interfaces.services import Services
from gennaker.model.execution import Execution
from gennaker.model.principal import Principal
from gennaker.model.problems import Refused
from gennaker.model.statuses import Status
from gennaker.plugins.webhook import plugin as webhook
from gennaker.settings import PreconfiguredWebhookSettings, Settings, WebhookParameterSettings


@pytest.fixture
def target() -> Iterator[Target]:
    with running(scripted(Answer(body={"ok": True}))) as one:
        yield one


def settings(target: Target, **fields: Any) -> Settings:
    given = {
        "label": "Ticket",
        "url": f"{target.url}/tickets/${{parameterValues['kind']}}",
        "method": "PUT",
        "payload": '{"title": "${parameterValues[\'title\']}"}',
        "parameters": (
            WebhookParameterSettings(name="title"),
            WebhookParameterSettings(name="kind", default_value="bug"),
        ),
        **fields,
    }
    one = PreconfiguredWebhookSettings(**given)
    return Settings(webhook_hosts=(target.address,), preconfigured_webhooks={"ticket": one})


def run(given: Settings, **keys: Any) -> Execution:
    return Harness(webhook.plugin, settings=given).run(make.config(make.stage_json("t", type="ticket", **keys)))


def test_its_parameters_fill_what_the_settings_say(target: Target) -> None:
    execution = run(settings(target), parameterValues={"title": "Out of stock"})

    [asked] = target.asked
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert (asked.method, asked.path, asked.json) == ("PUT", "/tickets/bug", {"title": "Out of stock"})


@pytest.mark.parametrize(
    ("roles", "runs"), [((), False), (("dev",), False), (("deve",), False), (("ops", "dev"), True)]
)
def test_only_who_has_one_of_the_roles_runs_it(target: Target, roles: tuple[str, ...], runs: bool) -> None:
    given = settings(target, permissions={"WRITE": ("ops", "developers")})
    harness = Harness(webhook.plugin, settings=given)
    pipeline = make.config(make.stage_json("t", type="ticket", parameterValues={"title": "x"}))

    async def work(services: Services) -> None:
        who = Principal(name="ada", roles=frozenset(roles))
        await ended(services, await services.executions.submit(Submission(config=pipeline), who))

    harness.do(work)

    [execution] = harness.executions()
    assert (execution.head.status, bool(target.asked)) == ((Status.SUCCEEDED if runs else Status.TERMINAL), runs)
    if not runs:
        assert "ada may not run the webhook Ticket." in problem_of(execution)


def test_a_pipeline_can_t_change_what_is_fixed(target: Target) -> None:
    execution = run(settings(target), url="http://example.org/", method="DELETE", payload={"x": 1})

    assert execution.head.status is Status.SUCCEEDED
    assert target.paths() == ["PUT /tickets/bug"]


def test_what_is_left_open_the_pipeline_decides(target: Target) -> None:
    run(settings(target, method=None, payload=None), method="PATCH", payload={"x": 1})

    assert (target.paths(), target.asked[0].json) == (["PATCH /tickets/bug"], {"x": 1})


def test_secret_headers_are_sent_but_stored_nowhere(target: Target, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    headers = {"X-Token": f"file:{tmp_path / 'token'}", "X-Plain": "in-the-settings"}

    execution = run(settings(target, custom_headers=headers), customHeaders={"X-Own": "own"})

    sent = target.asked[0].headers
    assert (sent["x-token"], sent["x-plain"], sent["x-own"]) == ("from-a-file", "in-the-settings", "own")
    stored = str(next(execution.in_order()))
    assert "from-a-file" not in stored
    assert "in-the-settings" not in stored


def test_a_header_file_of_a_pipeline_is_never_read(target: Target, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file")

    run(settings(target), customHeaders={"X-Token": f"file:{tmp_path / 'token'}"})

    assert target.asked[0].headers["x-token"] == f"file:{tmp_path / 'token'}"


def test_secret_headers_don_t_follow_a_status_url_to_another_origin(target: Target) -> None:
    with running(scripted(Answer(body={"state": "done"}))) as other:
        target.respond = scripted(Answer(body={"at": f"{other.url}/status"}))
        given = settings(
            target,
            custom_headers={"X-Key": "the-key"},
            wait_for_completion=True,
            status_url_resolution="webhookResponse",
            status_url_json_path="$.at",
        )
        both = Settings(
            webhook_hosts=(target.address, other.address), preconfigured_webhooks=given.preconfigured_webhooks
        )

        execution = run(both)

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert target.asked[0].headers["x-key"] == "the-key"
    assert "x-key" not in other.asked[0].headers


def test_unknown_parameters_are_refused(target: Target) -> None:
    execution = run(settings(target), parameterValues={"titel": "x"})

    assert execution.head.status is Status.TERMINAL
    assert "no parameter titel" in problem_of(execution)
    assert target.asked == []


def test_a_disabled_one_is_no_stage_type(target: Target) -> None:
    assert "ticket" not in Harness(webhook.plugin, settings=settings(target, enabled=False)).built().stage_types
    assert "ticket" in Harness(webhook.plugin, settings=settings(target)).built().stage_types


@pytest.mark.parametrize(
    "wrong",
    [
        {"payload": "{"},
        {"url": None, "custom_headers": {"X": "1"}},
        {"url": "http://${host}/", "custom_headers": {"X": "1"}},
    ],
)
def test_settings_that_can_t_be_are_refused_at_start(target: Target, wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        Harness(webhook.plugin, settings=settings(target, **wrong)).built()
