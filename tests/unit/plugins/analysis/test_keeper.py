"""The canary keeper: what it can't look at now holds up nobody, and is looked at again."""

from datetime import timedelta

from structlog.testing import capture_logs
from tests.fakes.clouds import CloudState, FakeCloud
from tests.harness import Harness

from gennaker.interfaces.clouds import Place, ServerGroup
from gennaker.interfaces.plugins import Plugin
from gennaker.interfaces.services import Services
from gennaker.model.codec import JsonObject
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.plugins.analysis import keeper

HERE = Place(account="near", region="r")


class Away(FakeCloud):
    """Its account `far` doesn't answer for some looks."""

    def __init__(self, away: list[int]) -> None:
        super().__init__(CloudState(), HERE)
        self._away = away

    async def describe(self, application: str) -> tuple[ServerGroup, ...]:
        if application == "far":
            self._away[0] -= 1
            if self._away[0] >= 0:
                raise Refused(Problem(code="p", message="Not now."), status=UNAVAILABLE)
        return await super().describe(application)


def canary(application: str) -> JsonObject:
    """Of an execution that there isn't any more, of which nothing is left."""
    cluster: JsonObject = {
        "application": application,
        "account": application,
        "region": "r",
        "cloud_provider": "",
        "cluster": application,
    }
    return {
        "application": application,
        "execution_id": f"01-{application}",
        "stage_id": "",
        "clusters": [cluster],
    }


def test_an_account_that_does_not_answer_holds_up_no_other() -> None:
    away = [2]
    plugin = Plugin(name="fakes", clouds=(lambda _: Away(away),), services=(keeper.service,))

    async def story(services: Services) -> None:
        documents = services.documents(keeper.NAMESPACE)
        for name in ("far", "near"):
            await documents.put(name, canary(name))
        left = [["far", "near"]]
        while left[-1]:
            await services.clock.sleep_until(services.clock.now() + timedelta(seconds=0.25))
            now = [one.key for one in await documents.list()]
            left += [now] if now != left[-1] else []
        assert left == [["far", "near"], ["far"], []]

    with capture_logs() as lines:
        Harness(plugin).do(story)

    assert [(line["event"], line["canary"]) for line in lines if line["log_level"] == "warning"] == [
        ("canary.unseen", "far")
    ]
