"""Nightly: universe after universe, each with a seed of its own, until so many steps were made and checked.

    python -m tests.simulation.nightly --steps 5000000
    python -m tests.simulation.nightly --seed ci-17

The first tells of new universes and goes on after a failure; the second of one again. Exit status 1: something failed.
"""

import argparse
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from random import Random, SystemRandom  # noqa: TID251 - seeds, and dice that are seeded with them

import structlog
from tests.simulation.universe import Plan, Universe

_IN_ONE_GO = 20
_SAID_EVERY_SECONDS = 30
_SILENT = 50


def plan_of(seed: str, *, pipelines: int = 5) -> Plan:
    """How the universe of this seed is disturbed: in every fourth no lease counts."""
    dice = Random(f"plan of {seed}")
    return Plan(
        pipelines=pipelines,
        disturbances=dice.choice((0, 30, 60, 60, 90)),
        is_guarded=dice.random() < 0.75,
        servers=dice.choice((1, 2, 2, 3)),
    )


def told(seeds: tuple[str, ...]) -> tuple[int, Counter[str], list[str]]:
    """Steps that were checked, what was done to these universes, and what failed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_SILENT))
    steps, happened, failures = 0, Counter[str](), []
    for seed in seeds:
        universe = Universe(seed, plan_of(seed))
        try:
            universe.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding, and the night is long
            failures.append(_said(seed, error))
        except BaseException as error:
            failures.append(_said(seed, error))
            if isinstance(error, KeyboardInterrupt):
                raise
        steps += universe.journal.steps
        happened += universe.happened
    return steps, happened, failures


def _said(seed: str, error: BaseException) -> str:
    return f"{''.join(traceback.format_exception(error)[-12:])}\nmake simulate SEED={seed}\n"


def _new_seeds(dice: Random) -> tuple[str, ...]:
    return tuple(f"{dice.getrandbits(64):016x}" for _ in range(_IN_ONE_GO))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", help="one universe, told again")
    parser.add_argument("--steps", type=int, default=5_000_000)
    parser.add_argument("--processes", type=int, default=1)
    asked = parser.parse_args()
    if asked.seed:
        steps, happened, failures = told((asked.seed,))
        print(f"{steps} steps, {dict(happened)}", *failures, sep="\n")  # noqa: T201 - a command
        return 1 if failures else 0
    return _all_night(asked.steps, asked.processes)


def _all_night(wanted: int, processes: int) -> int:
    dice, began, said = SystemRandom(), time.monotonic(), 0.0
    steps, universes, happened, failures = 0, 0, Counter[str](), 0
    with ProcessPoolExecutor(processes) as pool:
        while steps < wanted:
            goes = [_new_seeds(dice) for _ in range(processes)]
            for found in pool.map(told, goes):
                steps, universes, happened = steps + found[0], universes + _IN_ONE_GO, happened + found[1]
                failures += len(found[2])
                print(*found[2], sep="\n", end="", flush=True)  # noqa: T201 - as above
            seconds = time.monotonic() - began
            if seconds - said > _SAID_EVERY_SECONDS or steps >= wanted:
                said = seconds
                print(  # noqa: T201 - as above
                    f"{seconds:.0f} s: {steps} steps in {universes} universes, {failures} failed, {dict(happened)}",
                    flush=True,
                )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
