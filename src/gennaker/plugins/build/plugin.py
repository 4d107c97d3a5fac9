"""What the build folder offers."""

from gennaker.interfaces.plugins import Plugin, Service
from gennaker.plugins.build import build, ci_system, run_script, sweeping

plugin = Plugin(
    name="build",
    stages=(build.stage, run_script.stage),
    ci=(ci_system.systems,),
    services=(Service(name="build-workspaces", run=sweeping.run),),
)
"""The stages, the builder for CI stages, and the keeper of its folders."""
