"""Gate's list of preconfigured webhooks."""

from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.plugins.webhook import plugin as webhook
from gennaker.settings import PreconfiguredWebhookSettings, Settings, WebhookParameterSettings

TICKET = PreconfiguredWebhookSettings(
    label="Ticket",
    url="https://tickets.example.org/",
    method="POST",
    payload="{}",
    custom_headers={"X-Token": "very-secret"},
    parameters=(WebhookParameterSettings(name="b", order=2), WebhookParameterSettings(name="a", label="A", order=1)),
)


def test_the_enabled_ones_are_listed_without_what_they_are_fixed_to() -> None:
    known = {
        "ticket": TICKET,
        "open": PreconfiguredWebhookSettings(label="Open", wait_for_completion=True),
        "off": PreconfiguredWebhookSettings(label="Off", enabled=False),
        "hidden": PreconfiguredWebhookSettings(label="Hidden", permissions={"READ": ("ops",)}),
    }

    async def work(site: Website) -> None:
        answer = await site.call("GET", "/webhooks/preconfigured", token=None)

        assert "very-secret" not in answer.body.decode()
        ticket, opened = answer.json
        assert (ticket["type"], ticket["preconfiguredProperties"], ticket["noUserConfigurableFields"]) == (
            "ticket",
            ["url", "method", "payload", "customHeaders"],
            True,
        )
        assert [(one["name"], one["label"]) for one in ticket["parameters"]] == [("a", "A"), ("b", "b")]
        assert (opened["type"], opened["waitForCompletion"], opened["noUserConfigurableFields"]) == (
            "open",
            True,
            False,
        )

    visit(work, harness=Harness(webhook.plugin, settings=Settings(preconfigured_webhooks=known)))
