"""What the folder of Azure DevOps offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.azure_devops import pipelines

plugin = Plugin(name="azure-devops", ci=(pipelines.systems,))
