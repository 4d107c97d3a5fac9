"""A metric source in memory: what each version of the shop shows, one sample a step, the same in every run."""

import math
from collections.abc import Callable
from datetime import timedelta

import numpy as np

from gennaker.interfaces.metrics import MetricScope, MetricSet, MetricsUnavailable
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused

Behaviour = Callable[[str, str, np.random.Generator], float]
"""Metric's name, server group, dice → one sample; NaN: nothing was observed."""


class FakeSource:
    """Offers the port MetricSource for queries of type `fake`."""

    type = "fake"

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.asked: list[MetricScope] = []
        self.down: list[str] = []
        """What the next fetches of a window raise."""
        self.is_away = False
        """It can't be asked what it has."""
        self.silent_for = timedelta()
        """So long from the first window's start on nothing was observed."""

    async def fetch(self, name: str, query: JsonObject, scope: MetricScope) -> tuple[MetricSet, ...]:
        if "of" not in query:
            raise Refused(Problem(code="fake.query", message="The query has no `of`.", pointer="/of"))
        count = (scope.end - scope.start) // timedelta(seconds=scope.step_seconds)
        if count:
            self.asked.append(scope)
        if count and self.down:
            raise ConnectionError(self.down.pop())
        dice = np.random.default_rng(sum(map(ord, name + scope.scope)))
        step = timedelta(seconds=scope.step_seconds)
        silent = self.asked[0].start + self.silent_for if self.asked else scope.start
        samples = [self.behaviour(name, scope.scope, dice) for _ in range(count)]
        values = tuple(
            math.nan if scope.start + place * step < silent else sample for place, sample in enumerate(samples)
        )
        return (MetricSet(name=name, start=scope.start, step_seconds=scope.step_seconds, values=values, query="fake"),)

    async def metric_names(self) -> tuple[str, ...]:
        if self.is_away:
            raise MetricsUnavailable("The fake doesn't answer.")
        return ("m", "n")


def shop(*, errors: float = 0.0, orders: float = 40.0, silent: tuple[str, ...] = ()) -> Behaviour:
    """Baselines without errors and 40 orders per 100 visits; canaries with these; nothing of the silent metrics."""

    def behaves(metric: str, group: str, dice: np.random.Generator) -> float:
        is_canary = "canary" in group
        if metric in silent:
            return math.nan
        if metric == "errors":
            return float(dice.binomial(60, errors if is_canary else 0.0)) / 60 * 100
        return float(dice.normal(orders if is_canary else 40.0, 8.0))

    return behaves


def config(**fields: object) -> JsonObject:
    """A canary config over the fake source."""

    def metric(name: str, group: str, **options: object) -> JsonObject:
        return {
            "name": name,
            "query": {"type": "fake", "of": name},
            "groups": [group],
            "scopeName": "default",
            "analysisConfigurations": {"canary": options},
        }

    return {
        "name": "shop",
        "applications": ["shop"],
        "judge": {"name": "NetflixACAJudge-v1.0"},
        "metrics": [
            metric("errors", "errors", direction="increase", critical=True),
            metric("orders", "business", direction="decrease", effectSize={"allowedDecrease": 0.75}),
        ],
        "classifier": {"groupWeights": {"errors": 50, "business": 50}},
        **fields,
    }
