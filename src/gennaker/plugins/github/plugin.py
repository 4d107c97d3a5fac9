"""What the folder of GitHub offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.github import actions

plugin = Plugin(name="github", ci=(actions.systems,))
