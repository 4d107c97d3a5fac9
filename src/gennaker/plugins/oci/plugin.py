"""What the oci folder offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.oci import poller

plugin = Plugin(name="oci", services=(poller.service,))
