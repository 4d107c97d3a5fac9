"""What the oci folder offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.oci import charts, poller

plugin = Plugin(name="oci", services=(poller.service,), artifacts=(charts.of_registries,))
