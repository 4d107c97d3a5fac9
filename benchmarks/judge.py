"""How many metric set pairs the canary judge judges in a second, at 1,440 points a side (a day of minutes).

Run: `python benchmarks/judge.py [pairs]`. Prints one line of JSON per kind of samples. The peer to hold it against is
Kayenta's own judge on the JVM, with the same pairs; it isn't a Python package, so it is not started from here.
"""

import json
import sys
import time

import numpy as np

from gennaker.canary.judge import judge
from gennaker.model.codec import Json, JsonObject

POINTS = 1_440
CONFIG: JsonObject = {
    "metrics": [{"name": "m", "groups": ["g"], "analysisConfigurations": {"canary": {"direction": "increase"}}}],
    "classifier": {"groupWeights": {"g": 100}},
}


def pairs(kind: str, count: int) -> list[JsonObject]:
    """Metric set pairs without a real difference, the hardest case: no bound is clamped, nothing short-cuts."""
    chance = np.random.default_rng(20_240_501)

    def side() -> list[Json]:
        if kind == "latencies":
            return [float(value) for value in chance.lognormal(4.0, 0.6, POINTS)]
        return [float(value) for value in chance.poisson(6.0, POINTS)]

    return [
        {"name": "m", "id": str(number), "tags": {}, "values": {"control": side(), "experiment": side()}}
        for number in range(count)
    ]


def main() -> None:
    """Judges each kind once and prints what it took."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for kind in ("latencies", "counts with ties"):
        given = pairs(kind, count)
        start = time.perf_counter()
        judge(CONFIG, given, {"pass": 95, "marginal": 75})
        seconds = time.perf_counter() - start
        figures = {"kind": kind, "pairs": count, "points": POINTS, "pairs_per_second": round(count / seconds, 1)}
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
