"""Clusters: what stages may say about a cluster to deploy to, Orca's keys and the documented extensions.

Read by `deploy` and its children, and by the canary stage for the clusters of its two sides.
"""

from typing import Annotated

import msgspec

from gennaker.interfaces.clouds import Capacity
from gennaker.interfaces.routes import Routes
from gennaker.interfaces.stages import StageSpec
from gennaker.model.artifact import Plain
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import written
from gennaker.model.lengths import Duration

Places = str | tuple[str, ...] | dict[str, Json]
"""One, several, or those that are the keys of a map."""

_Instances = Annotated[int, msgspec.Meta(ge=0)]


class CapacitySpec(msgspec.Struct, frozen=True, kw_only=True):
    """How many instances; what is absent follows from the others."""

    min: _Instances | None = None
    max: _Instances | None = None
    desired: _Instances | None = None

    def filled(self) -> Capacity:
        """All three, in order."""
        desired = self.desired if self.desired is not None else self.min if self.min is not None else self.max
        desired = 1 if desired is None else desired
        low = desired if self.min is None else min(self.min, desired)
        high = desired if self.max is None else max(self.max, desired)
        return Capacity(min=low, max=high, desired=desired)


class RollbackSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What happens by itself when things go wrong."""

    on_failure: bool = True
    """Orca's key. A failed deploy always goes back, so `false` changes nothing."""
    on_pipeline_failure: bool = False
    """Also when a later stage of the same run fails, is rejected or the run is cancelled."""
    destroy_latest: bool = True
    """Orca's key. Nothing half-made is ever left, so `false` changes nothing."""


class ValidationPipeline(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The pipeline that is run at each step of a rolling update."""

    application: str = ""
    pipeline_id: str = ""
    pipeline_parameters: JsonObject = {}


class Termination(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a rolling push goes on."""

    concurrent_relaunches: int = 0


class ClusterSpec(StageSpec, frozen=True, kw_only=True, rename="camel"):
    """A cluster, as `deploy` lists them and `createServerGroup` gets one."""

    application: str = ""
    account: str = ""
    credentials: str = ""
    cloud_provider: str = ""
    region: str = ""
    namespace: str = ""
    regions: Places = ()
    namespaces: Places = ()
    zones: Places = ()
    availability_zones: Places = ()
    cluster: "str | ClusterSpec | None" = None
    """A map counts as if its keys stood beside it (Orca's rule)."""
    moniker: JsonObject = {}  # noqa: RUF012 - msgspec copies it
    source: JsonObject = {}  # noqa: RUF012 - msgspec copies it
    is_clone: bool = False
    stack: str | None = ""
    free_form_details: str | None = ""
    strategy: str | None = ""
    capacity: CapacitySpec = CapacitySpec()
    use_source_capacity: bool = False
    load_balancers: tuple[str, ...] | None = ()
    image: str | JsonObject | None = ""
    """Reference; a build's output `image` will do too. Absent: the nearest docker/image artifact."""
    version: Plain | None = ""
    environment: dict[str, Plain] = {}  # noqa: RUF012 - msgspec copies it
    health_path: str = "/healthz"
    labels: dict[str, Plain] = {}  # noqa: RUF012 - msgspec copies it
    target_healthy_deploy_percentage: float = 100
    interesting_health_provider_names: tuple[str, ...] | None = None
    """Whose word counts on whether an instance is up: `local`, `Probe`, `LoadBalancer` …; none: nobody's. Absent: everybody's."""
    up_timeout: Duration = "PT10M"
    """How long instances may take to come up."""
    drain_timeout: Duration = "PT35S"
    """How long requests under way may take to end."""
    grace_period: Duration | None = None
    """How long what was replaced is kept warm; absent: for good, as Orca keeps it (a rolling update's own strategies: not at all)."""
    traffic_percent: float | None = None
    """Exactly this part of the load balancers' traffic, for canaries."""
    routes: Routes = Routes()
    """What it gets whatever the weights are: requests with a header or cookie, copies."""
    target_percentages: tuple[float, ...] = ()
    """Steps of rollingredblack."""
    deploy_steps: tuple[float, ...] = ()
    """Steps of monitored."""
    deployment_monitor: JsonObject = {}  # noqa: RUF012 - msgspec copies it
    """Of monitored: who would be asked."""
    termination: Termination = Termination()
    """Of rollingpush."""
    delay_before_cleanup: float = 0
    """Seconds between the new version's being ready and the old one's being taken out."""
    delay_before_disable_sec: float = 0
    """Old name of `delayBeforeCleanup`."""
    max_remaining_asgs: int = 0
    allow_delete_active: bool = False
    scale_down: bool = False
    delay_before_scale_down_sec: float = 0
    allow_scale_down_active: bool = False
    strategy_application: str = ""
    strategy_pipeline: str = ""
    """Id of the pipeline that is the strategy `custom`."""
    pipeline_parameters: JsonObject = {}  # noqa: RUF012 - msgspec copies it
    """More parameters of that pipeline."""
    pipeline_before_cleanup: ValidationPipeline = ValidationPipeline()
    manifest: JsonObject = {}  # noqa: RUF012 - msgspec copies it
    """On Kubernetes: the ReplicaSet, Deployment or StatefulSet to be; name, image, size and environment are put in."""
    services: tuple[str, ...] | None = ()
    """On Kubernetes: the Services whose selectors its pods get."""
    port: int = 8080
    """On Kubernetes: where the container listens, unless the manifest says."""
    verify: JsonObject | tuple[JsonObject, ...] = {}  # noqa: RUF012 - msgspec copies it
    """Checks on the new instances before users see them: `{"httpCheck": {…}}` or stages with `type`."""
    rollback: RollbackSpec = RollbackSpec()


def texts(values: dict[str, Plain]) -> dict[str, str]:
    """An environment, labels: each value as text."""
    return {key: written(value) for key, value in values.items()}
