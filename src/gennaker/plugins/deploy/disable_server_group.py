"""Disable Server Group: removes it from traffic and waits until its instances have nothing under way.

The others get its part. Its instances keep running; enabling it again is a matter of one switch.
"""

from gennaker.interfaces.stages import StageType, TaskType
from gennaker.plugins.deploy import rollouts, taking_out
from gennaker.plugins.deploy.targets import TargetSpec

stage = StageType(
    name="disableServerGroup",
    label="Disable Server Group",
    about=__doc__,
    spec=TargetSpec,
    tasks=(
        TaskType(name="determineTargetServerGroup", run=taking_out.choose_target, stop=rollouts.stop),
        taking_out.FROM_TRAFFIC,
        taking_out.DRAIN,
    ),
    aliases=("disableAsg",),
    restart_clears=taking_out.CLEARED,
)
