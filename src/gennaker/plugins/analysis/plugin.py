"""What the analysis folder offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.analysis import cleanup, deploy_groups, intervals, kayenta_canary, keeper, run_canary

plugin = Plugin(
    name="analysis",
    stages=(kayenta_canary.stage, deploy_groups.stage, intervals.stage, run_canary.stage, cleanup.stage),
    services=(keeper.service,),
)
