"""What the cron folder offers."""

from gennaker.interfaces.plugins import Plugin, Service
from gennaker.plugins.cron import firing

plugin = Plugin(name="cron", services=(Service(name="cron", run=firing.run),))
