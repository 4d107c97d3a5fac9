"""What the local folder offers."""

from gennaker.interfaces.plugins import Plugin, Service
from gennaker.plugins.local import provider

plugin = Plugin(
    name="local",
    clouds=(provider.LocalProvider.of,),
    services=(Service(name="local-instances", run=provider.keep),),
)
