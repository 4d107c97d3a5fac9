"""What the folder of Jenkins offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.jenkins import files, system

plugin = Plugin(name="jenkins", ci=(system.systems,), artifacts=(files.accounts,))
