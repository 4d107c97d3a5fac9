"""Webhook: calls an address and, if told to, waits until a status URL says that the work is done.

Addresses inside the machine or its network are refused unless the setting `webhook-hosts` names them.
"""

from msgspec.structs import replace

from gennaker.interfaces import produced
from gennaker.interfaces.stages import Plan, StageContext, StageSpec, StageType
from gennaker.model.event import PlannedTask
from gennaker.model.execution import EffectClass
from gennaker.plugins.webhook import creating, monitoring, writing
from gennaker.plugins.webhook.stage_settings import Spec

TASKS = (creating.task, monitoring.before, monitoring.task, produced.task)
CLEARED = ("webhook", "statusEndpoint", "artifacts", "resolvedExpectedArtifacts")
"""By a restart."""


async def plan(spec: StageSpec, _context: StageContext) -> Plan:
    """The call unless it is only watched, the watching if it waits, the binding of artifacts if some are expected."""
    assert isinstance(spec, Spec)
    return Plan(tasks=tasks(spec))


def tasks(spec: Spec) -> tuple[PlannedTask, ...]:
    """The tasks of a stage. Raises Refused."""
    creating.check(spec)
    planned: list[PlannedTask] = []
    if not spec.monitor_only:
        is_safe = spec.method.strip().upper() in creating.SAFE
        effect_class = EffectClass.REPEATABLE if is_safe else creating.task.effect_class
        planned.append(replace(creating.task.planned(), effect_class=effect_class))
    if spec.wait_for_completion:
        if spec.wait_before_monitor > 0:
            planned.append(monitoring.before.planned())
        planned.append(monitoring.task.planned())
    if spec.expected_artifacts:
        planned.append(produced.task.planned())
    return tuple(planned)


stage = StageType(
    name="webhook",
    label="Webhook",
    about=__doc__,
    spec=Spec,
    tasks=TASKS,
    check=writing.wrong,
    plan=plan,
    restart_clears=CLEARED,
)
