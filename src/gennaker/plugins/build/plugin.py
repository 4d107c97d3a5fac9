"""What the build folder offers."""

from gennaker.interfaces.plugins import Plugin, Service
from gennaker.plugins.build import build, ci_system, sweeping

plugin = Plugin(
    name="build",
    stages=(build.stage,),
    ci=(ci_system.systems,),
    services=(Service(name="build-workspaces", run=sweeping.run),),
)
"""The stage, the builder for CI stages, and the keeper of its folders."""
