"""What the webhook folder offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.webhook import notifier

plugin = Plugin(name="webhook", notifiers=(notifier.notifier,))
