"""How fast expressions are evaluated, on the work for which the real evaluator was measured.

    .venv/bin/python benchmarks/expressions.py

Median of seven rounds of about half a second, after one that isn't counted; one thread. `docs/benchmarks.md` has the figures.
"""

import statistics
import sys
import time
from collections.abc import Callable

from gennaker.expressions import template
from gennaker.expressions.root import at_stage, plain
from gennaker.model.codec import Json, JsonObject

_ONE = "${trigger.buildInfo.number}"
_TRIGGER: JsonObject = {"type": "jenkins", "buildInfo": {"number": 42}, "parameters": {"env": "prod"}}
_ROUNDS = 7
_SECONDS = 0.5


def _rate(work: Callable[[], object]) -> float:
    """Calls a second."""
    work()
    rates = []
    for _ in range(_ROUNDS + 1):
        count, begun = 0, time.perf_counter()
        while (spent := time.perf_counter() - begun) < _SECONDS:
            work()
            count += 1
        rates.append(count / spent)
    return statistics.median(rates[1:])


def _artifacts() -> list[Json]:
    kinds = ("docker/image", "helm/chart")
    return [
        {
            "type": kinds[number % 2],
            "n": number,
            "name": f"reg/app{number}" if number % 4 else f"app{number}",
            "reference": f"reg/app{number}:1",
        }
        for number in range(200)
    ]


_SELECTION = "${items.?[type == 'docker/image' and n > 50 and name matches 'reg/app.*'].![reference + '@' + n]}"


def _stages() -> list[JsonObject]:
    """200 contexts of ten strings each, one of which is an expression."""
    return [
        {
            "account": "prod",
            "region": "us-east-1",
            "cluster": f"app-{number}",
            "image": f"reg/app:${{parameters.env}}-{number}" if number % 2 else _ONE,
            "capacity": {"min": "1", "max": "3"},
            "tags": ["a", "b"],
            "comment": "a longer text in which nothing is to be evaluated, as most texts in contexts are",
            "zone": "a",
        }
        for number in range(200)
    ]


def main() -> None:
    """Prints a line for each kind of work."""
    simple = plain({"trigger": _TRIGGER, "items": _artifacts(), "parameters": {"env": "prod"}})
    stage: JsonObject = {"id": "1", "refId": "1", "name": "s", "context": {}}
    pipeline = at_stage({"id": "E", "type": "PIPELINE", "trigger": _TRIGGER, "stages": [stage]}, "1")
    wide: JsonObject = {f"k{number}": _ONE for number in range(100)}
    narrow: list[JsonObject] = [{"k": _ONE} for _ in range(100)]
    stages = _stages()
    all_stages: JsonObject = {f"s{number}": one for number, one in enumerate(stages)}
    nothing: JsonObject = {f"s{number}": {**one, "image": "reg/app:1"} for number, one in enumerate(stages)}
    different = iter(range(10**9))
    rows: list[tuple[str, Callable[[], object], int]] = [
        ("(a) one expression a call", lambda: template.evaluate({"v": _ONE}, simple), 1),
        ("(a) the same at a stage of an execution", lambda: template.evaluate({"v": _ONE}, pipeline), 1),
        (
            "(a) a text that was never seen before",
            lambda: template.evaluate({"v": f"${{trigger.buildInfo.number + {next(different)}}}"}, simple),
            1,
        ),
        ("(a') 100 one-key maps in one call, each", lambda: template.evaluate({"v": list(narrow)}, simple), 100),
        ("(a'') 100 keys of one map, each", lambda: template.evaluate(wide, simple), 100),
        ("(b) selection and projection over 200 maps", lambda: template.evaluate({"v": _SELECTION}, simple), 1),
        ("(c) 200 contexts, 2,000 strings, 200 expressions", lambda: template.evaluate(all_stages, simple), 1),
        ("(c') the same, one call each", lambda: [template.evaluate(one, simple) for one in stages], 1),
        ("the same map without an expression", lambda: template.evaluate(nothing, simple), 1),
    ]
    for name, work, pieces in rows:
        rate = _rate(work) * pieces
        sys.stdout.write(f"{name:50} {rate:12,.0f}/s {1e6 / rate:10,.1f} µs\n")


if __name__ == "__main__":
    main()
