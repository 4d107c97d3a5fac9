"""Steady examples: what Hypothesis makes up is the same in every run and may take its time; other examples are asked for by a seed.

A run that fails by luck, on whatever somebody has pushed, tells its author nothing. Whoever looks for more gives `--hypothesis-seed=…`
(or a profile of their own).
"""

import pytest
from hypothesis import HealthCheck, settings

_NAME, _BY_SEED = "steady", "by-seed"
_SEED = "--hypothesis-seed"
_PLAIN = ("default", "ci")


def use(config: pytest.Config) -> None:
    """For the tests that are collected from now on."""
    # On a busy machine any example may be late, and so may be the making of it.
    patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
    settings.register_profile(_NAME, patient, derandomize=True, database=None)
    settings.register_profile(_BY_SEED, patient, derandomize=False, database=None)
    if settings.get_current_profile_name() in _PLAIN:
        settings.load_profile(_NAME if config.getoption(_SEED, None) is None else _BY_SEED)
