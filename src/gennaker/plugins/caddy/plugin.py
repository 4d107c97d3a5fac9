"""What the Caddy folder offers."""

from gennaker.interfaces.plugins import Plugin, Service
from gennaker.plugins.caddy import provider

plugin = Plugin(
    name="caddy",
    traffic=(provider.CaddyProvider.of,),
    services=(Service(name="caddy-keeper", run=provider.keep),),
)
