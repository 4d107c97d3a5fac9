"""What the artifacts folder offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.artifacts import accounts

plugin = Plugin(name="artifacts", artifacts=(accounts.accounts,))
