"""What the folder of CI stages offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.ci import jobs, not_offered, script

plugin = Plugin(name="ci", stages=(*jobs.stages, jobs.get_properties, script.stage, *not_offered.stages))
