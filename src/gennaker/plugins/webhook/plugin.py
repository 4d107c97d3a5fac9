"""What the webhook folder offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.webhook import notifier, preconfigured, webhook

plugin = Plugin(
    name="webhook",
    stages=(webhook.stage,),
    configured_stages=preconfigured.stages,
    notifiers=(notifier.notifier,),
)
