"""What the folder of GitLab offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.gitlab import pipelines

plugin = Plugin(name="gitlab", ci=(pipelines.systems,))
