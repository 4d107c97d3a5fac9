"""How often the demo's canary config catches bad versions and promotes good ones, by simulation with the real judge.

Run: `python benchmarks/canary_power.py [canaries of each kind, default 2000] [seed]`. One line of JSON per kind.

The model. Baseline and canary are observed once a second, in two intervals of 20 seconds; the second judgement sees
both. Each gets about 60 requests a second, a third of them visits of the shop's front page, and an order for 40 % of
the visits. Errors are binomial, visits and orders are counted on whichever instance serves them (no stickiness, so
the ratio's parts vary independently), latencies are log-normal. The machine is busy and small: both groups share
slow-downs that last some seconds (an AR(1) process), each has more of its own, and each process is by nature up to
10 % slower or faster than its twin. CPU time is counted in ticks of 10 ms, as Linux does.

A canary is promoted if its first score is above marginal and its last at least pass, as in the stage.
"""

import json
import sys
from importlib.resources import files

import msgspec
import numpy as np
from numpy.typing import NDArray

from gennaker.canary import verdict
from gennaker.canary.judge import judge
from gennaker.canary.verdict import StageThresholds
from gennaker.model.codec import Json, JsonObject, decode

THRESHOLDS = StageThresholds(passing=80, marginal=50)
_LIMITS: JsonObject = {"pass": 80, "marginal": 50}

Series = NDArray[np.float64]
"""(n,) float64, one sample a second; NaN = missing."""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two versions of the service."""

    error_ratio: float = 0.0
    orders_per_visit: float = 0.4
    slowness: float = 1.0
    """Factor of latency and CPU time."""
    memory: float = 1.0
    """Factor of memory."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Under which circumstances the two are compared."""

    seconds: tuple[int, ...] = (20, 40)
    """How many samples each judgement sees."""
    requests_per_second: float = 60.0
    visits_per_request: float = 1 / 3
    ambient_errors: float = 0.0
    """Errors that both versions have."""
    shared_noise: float = 0.3
    own_noise: float = 0.2
    """Spread of the logarithm of the machine's slow-downs."""
    persistence: float = 0.7
    """How much of a slow-down is still there a second later."""
    twins_differ: float = 0.1


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of canary, and what ought to become of it."""

    name: str
    is_good: bool
    version: Version = Version()
    setting: Setting = Setting()


KINDS = (
    Kind(name="good", is_good=True),
    Kind(name="good, 0.5 % ambient errors", is_good=True, setting=Setting(ambient_errors=0.005)),
    Kind(
        name="good, very busy machine",
        is_good=True,
        setting=Setting(shared_noise=0.6, own_noise=0.4, persistence=0.8, twins_differ=0.2),
    ),
    Kind(name="good, 5 % slower", is_good=True, version=Version(slowness=1.05)),
    Kind(name="5 % errors", is_good=False, version=Version(error_ratio=0.05)),
    Kind(
        name="5 % errors over 0.5 % ambient",
        is_good=False,
        version=Version(error_ratio=0.05),
        setting=Setting(ambient_errors=0.005),
    ),
    Kind(name="half the orders", is_good=False, version=Version(orders_per_visit=0.2)),
    Kind(
        name="half the orders, very busy machine",
        is_good=False,
        version=Version(orders_per_visit=0.2),
        setting=Setting(shared_noise=0.6, own_noise=0.4, persistence=0.8, twins_differ=0.2),
    ),
    Kind(name="three times as slow", is_good=False, version=Version(slowness=3.0)),
)


def demo_config() -> JsonObject:
    """The canary config that the demo uses."""
    return decode(files("gennaker.demo").joinpath("canary_config.json").read_bytes(), JsonObject)


def is_promoted(config: JsonObject, kind: Kind, chance: np.random.Generator) -> bool:
    """Simulates one canary and judges it as the stage does."""
    control, experiment = observed(Version(), kind.version, kind.setting, chance)
    scores: list[float | None] = []
    for seconds in kind.setting.seconds:
        pairs = [_pair(name, control[name][:seconds], experiment[name][:seconds]) for name in control]
        scores.append(judge(config, pairs, _LIMITS).result.score.score)
        if verdict.is_halted(scores[-1], THRESHOLDS):
            return False
    return verdict.aggregate(scores, THRESHOLDS).passed


def promoted(config: JsonObject, kind: Kind, count: int, seed: int) -> int:
    """How many of so many canaries of a kind are promoted."""
    chance = np.random.default_rng(seed)
    return sum(is_promoted(config, kind, chance) for _ in range(count))


def observed(
    baseline: Version, canary: Version, setting: Setting, chance: np.random.Generator
) -> tuple[dict[str, Series], dict[str, Series]]:
    """The samples of both groups by the name of the metric in the demo's config."""
    shared = _slow_downs(setting.shared_noise, setting, chance)
    return _group(baseline, setting, shared, chance), _group(canary, setting, shared, chance)


def _group(version: Version, setting: Setting, shared: Series, chance: np.random.Generator) -> dict[str, Series]:
    seconds = setting.seconds[-1]
    requests = chance.poisson(setting.requests_per_second, seconds)
    errors = chance.binomial(requests, min(1.0, version.error_ratio + setting.ambient_errors))
    visits = chance.poisson(setting.requests_per_second * setting.visits_per_request, seconds)
    orders = chance.poisson(
        setting.requests_per_second * setting.visits_per_request * version.orders_per_visit, seconds
    )
    own = _slow_downs(setting.own_noise, setting, chance)
    nature = np.exp(chance.uniform(-setting.twins_differ, setting.twins_differ))
    slow = np.exp(shared + own) * nature * version.slowness
    mean, high = np.full(seconds, np.nan), np.full(seconds, np.nan)
    for second, count in enumerate(requests):
        if count:
            latencies = chance.lognormal(np.log(2.0), 0.5, count) * slow[second]
            mean[second], high[second] = latencies.mean(), np.quantile(latencies, 0.9)
    burnt = requests * chance.lognormal(np.log(0.0006), 0.05, seconds) * nature * version.slowness
    ticks = np.diff(np.floor(np.concatenate(([0.0], np.cumsum(burnt))) / 0.01)) * 0.01
    memory = 30.0 * version.memory * np.exp(chance.uniform(-0.02, 0.02)) + np.cumsum(chance.exponential(0.01, seconds))
    return {
        "errors per 100 requests": _ratio(errors, requests, 100),
        "orders per 100 visits": _ratio(orders, visits, 100),
        "mean latency (ms)": mean,
        "90th percentile of latency (ms)": high,
        "CPU per request (ms)": _ratio(ticks, requests, 1000),
        "memory (MB)": memory,
    }


def _slow_downs(spread: float, setting: Setting, chance: np.random.Generator) -> Series:
    """The logarithm of how much slower the machine is: AR(1) with the given standard deviation."""
    kept = setting.persistence
    steps = chance.normal(0.0, spread * (1 - kept**2) ** 0.5, setting.seconds[-1])
    found = np.empty(setting.seconds[-1])
    level = chance.normal(0.0, spread)
    for second, step in enumerate(steps):
        level = kept * level + step
        found[second] = level
    return found


def _ratio(numerator: NDArray[np.generic], denominator: NDArray[np.generic], scale: float) -> Series:
    above, below = numerator.astype(np.float64), denominator.astype(np.float64)
    found = np.full(len(below), np.nan)
    np.divide(above * scale, below, out=found, where=below > 0)
    return found


def _pair(name: str, control: Series, experiment: Series) -> JsonObject:
    one: list[Json] = list(control.tolist())
    other: list[Json] = list(experiment.tolist())
    return {"name": name, "id": name, "tags": {}, "values": {"control": one, "experiment": other}}


def main() -> None:
    """Simulates every kind and prints how many of them were promoted."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20261124
    config = demo_config()
    for kind in KINDS:
        found = promoted(config, kind, count, seed)
        right = found if kind.is_good else count - found
        figures = {"kind": kind.name, "canaries": count, "promoted": found, "right": round(right / count, 4)}
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
