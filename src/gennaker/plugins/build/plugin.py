"""What the build folder offers."""

from gennaker.interfaces.plugins import Plugin, Service
from gennaker.plugins.build import build, sweeping

plugin = Plugin(
    name="build",
    stages=(build.stage,),
    services=(Service(name="build-workspaces", run=sweeping.run),),
)
"""The stage and the keeper of its folders."""
