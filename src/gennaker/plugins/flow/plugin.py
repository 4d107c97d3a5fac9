"""What the flow folder offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.flow import manual_judgment, pipeline, wait

plugin = Plugin(name="flow", stages=(wait.stage, manual_judgment.stage, pipeline.stage))
