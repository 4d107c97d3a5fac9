"""Gate's routes to canary runs: what people choose metrics from when they write a config."""

from collections.abc import Awaitable, Callable

from tests.fakes import metrics
from tests.fakes.metrics import FakeSource
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.interfaces.metrics import MetricSource
from gennaker.interfaces.plugins import Plugin

PATH = "/v2/canaries/metadata/metricsService"


class Silent(FakeSource):
    """A source that can't say what it has."""

    type = "silent"
    metric_names = None  # type: ignore[assignment]  # so a class says that it doesn't offer what it derives from does


def visit(work: Callable[[Website], Awaitable[None]], *sources: MetricSource) -> None:
    def offering(source: MetricSource) -> Plugin:
        return Plugin(name=f"{source.type}-metrics", metrics=(lambda _: source,))

    harness = Harness(*map(offering, sources))

    async def main() -> None:
        async with harness.process() as core:
            await work(Website(harness, core))

    harness.time.run(main())


def test_metrics_are_named_for_who_chooses_one_by_a_part_of_their_name() -> None:
    async def work(site: Website) -> None:
        every = await site.get(f"{PATH}?metricsAccountName=fake")
        some = await site.get(f"{PATH}?metricsAccountName=fake&filter=N")

        assert (every.status, every.json) == (200, [{"name": "m"}, {"name": "n"}])
        assert some.json == [{"name": "n"}]

    visit(work, Silent(metrics.shop()), FakeSource(metrics.shop()))


def test_without_an_account_the_first_is_meant() -> None:
    async def work(site: Website) -> None:
        assert (await site.get(PATH)).json == [{"name": "m"}, {"name": "n"}]

    visit(work, FakeSource(metrics.shop()), Silent(metrics.shop()))


def test_a_source_that_cannot_say_it_has_none_and_an_unknown_one_is_refused() -> None:
    async def work(site: Website) -> None:
        silent = await site.get(f"{PATH}?metricsAccountName=silent")
        unknown = await site.get(f"{PATH}?metricsAccountName=other")

        assert (silent.status, silent.json) == (200, [])
        assert (unknown.status, "There are: silent." in unknown.body.decode()) == (400, True)

    visit(work, Silent(metrics.shop()))


def test_a_source_that_does_not_answer_is_said() -> None:
    source = FakeSource(metrics.shop())
    source.is_away = True

    async def work(site: Website) -> None:
        answer = await site.get(PATH)

        assert (answer.status, "The fake doesn't answer." in answer.body.decode()) == (503, True)

    visit(work, source)
