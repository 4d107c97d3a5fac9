"""The demo's canary config: broken by nothing, and with power. A small, seeded part of benchmarks/canary_power.py."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from gennaker.canary import lint
from gennaker.plugins.scraper import queries

_CANARIES = 20
_SEED = 7


def power() -> ModuleType:
    """The benchmark, which is a script and no package."""
    path = Path(__file__).parents[2] / "benchmarks" / "canary_power.py"
    spec = importlib.util.spec_from_file_location("canary_power", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nothing_is_wrong_with_the_demos_config() -> None:
    config = power().demo_config()

    assert lint.lint(config, scope_names={"default"}, query_types={"embedded"}) == ()
    for metric in config["metrics"]:
        queries.read(metric["query"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "good",
        "good, very busy machine",
        "5 % errors",
        "5 % errors over 0.5 % ambient",
        "half the orders",
        "half the orders, very busy machine",
    ],
)
def test_twenty_of_twenty_are_judged_rightly(name: str) -> None:
    module = power()
    kind = next(kind for kind in module.KINDS if kind.name == name)

    promoted = module.promoted(module.demo_config(), kind, _CANARIES, _SEED)

    assert promoted == (_CANARIES if kind.is_good else 0)
