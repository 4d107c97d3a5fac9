"""What the docker folder offers."""

from gennaker.interfaces.plugins import Plugin, Service
from gennaker.plugins.docker import provider

plugin = Plugin(
    name="docker",
    clouds=(provider.DockerProvider.of,),
    services=(Service(name="docker-containers", run=provider.keep),),
)
