"""Destroy Server Group: removes it from traffic, drains it, and destroys it with its instances."""

from gennaker.interfaces.stages import StageType, TaskType
from gennaker.plugins.deploy import regions, rollouts, taking_out
from gennaker.plugins.deploy.targets import TargetSpec

_TASKS = (
    TaskType(name="determineTargetServerGroup", run=taking_out.choose_target_if_there, stop=rollouts.stop),
    taking_out.FROM_TRAFFIC,
    taking_out.DRAIN,
    taking_out.DESTROY,
    taking_out.GONE,
)
stage = StageType(
    name="destroyServerGroup",
    label="Destroy Server Group",
    about=__doc__,
    spec=TargetSpec,
    tasks=_TASKS,
    plan=regions.each(*_TASKS),
    aliases=("destroyAsg",),
    restart_clears=taking_out.CLEARED,
)
