"""Stage keys: the types of what a canary stage says under `canaryConfig` and `deployments`, Kayenta's keys and our extensions.

What the values mean is `stage_settings`' business.
"""

import msgspec

from gennaker.interfaces.clusters import ClusterSpec
from gennaker.model.codec import JsonObject


class ScopeKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whose metrics are compared, if the stage doesn't deploy them, and in which steps."""

    scope_name: str = ""
    control_scope: str = ""
    control_location: str = ""
    experiment_scope: str = ""
    experiment_location: str = ""
    start_time_iso: str = ""
    end_time_iso: str = ""
    step: float = 60
    """Seconds."""
    extended_scope_params: JsonObject = {}


class ThresholdKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Scores."""

    passing: float | None = msgspec.field(default=None, name="pass")
    marginal: float | None = None


class AnalysisKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`canaryConfig`: which config, scopes, thresholds and times."""

    canary_config: JsonObject = {}
    """The config itself, instead of its id or name."""
    canary_config_id: str = ""
    canary_config_name: str = ""
    metrics_account_name: str = ""
    configuration_account_name: str = ""
    storage_account_name: str = ""
    scopes: tuple[ScopeKeys, ...] = ()
    score_thresholds: ThresholdKeys = ThresholdKeys()
    lifetime_duration: str = ""
    lifetime_hours: float = 0
    canary_analysis_interval: str = ""
    canary_analysis_interval_mins: float = 0
    begin_canary_analysis_after: str = ""
    begin_canary_analysis_after_mins: float = 0
    lookback: str = ""
    lookback_mins: float = 0
    baseline_analysis_offset: str = ""
    baseline_analysis_offset_in_mins: float = 0


class BaselineKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The production cluster whose image the baseline gets."""

    application: str = ""
    account: str = ""
    cluster: str = ""
    cloud_provider: str = ""
    region: str = ""


class PairKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The clusters of both sides."""

    control: ClusterSpec = ClusterSpec()
    experiment: ClusterSpec = ClusterSpec()


class DeploymentsKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`deployments`: what is deployed for the analysis."""

    baseline: BaselineKeys = BaselineKeys()
    server_group_pairs: tuple[PairKeys, ...] = ()
    load_balancer: str = ""
    load_balancers: tuple[str, ...] = ()
    traffic_percent: float | None = None
    delay_before_cleanup: str | float = 0
    skip_without_baseline: bool = False
