"""Leftovers: what a Spinnaker could still start, in words that say where to look."""

from typing import Any

from gennaker.migration import leftovers

CRON = {"type": "cron", "enabled": True, "cronExpression": "0 0 12 * * ?"}
DELIVER: dict[str, Any] = {"id": "1", "application": "Shop", "name": "Deliver", "triggers": [CRON]}
OFF: dict[str, Any] = {"id": "2", "application": "shop", "name": "Old", "disabled": True, "triggers": [CRON]}
CALLER: dict[str, Any] = {
    "id": "3",
    "application": "tools",
    "name": "All",
    "stages": [{"type": "pipeline", "pipeline": "1"}, {"type": "pipeline", "pipeline": "2"}],
}


def test_triggers_callers_people_and_running_executions_are_named() -> None:
    running = [{"id": "01X", "name": "Deliver", "status": "RUNNING"}]

    assert leftovers.of_application("shop", [DELIVER, OFF, CALLER], running) == (
        "The execution 01X of Deliver is RUNNING there.",
        "The pipeline Deliver has a cron trigger that is on (0 0 12 * * ?).",
        "The pipeline tools: All starts Deliver by a stage.",
        "The pipeline Deliver isn't disabled: people can start it.",
    )


def test_of_disabled_pipelines_nothing_is_left() -> None:
    assert leftovers.of_application("shop", [OFF, {**CALLER, "disabled": True}], []) == ()
    assert leftovers.of_application("shop", [{**DELIVER, "disabled": True}, CALLER], []) == ()
