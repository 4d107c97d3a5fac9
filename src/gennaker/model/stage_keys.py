"""Stage keys: what every stage may say, whatever its type, and what its notifications may say."""

import msgspec

from gennaker.model.artifact import ExpectedArtifactKeys, Plain
from gennaker.model.codec import Json, JsonObject


class NotificationKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who is told what, when."""

    type: str
    """`email`, `slack`, `console`, `webhook` …"""
    address: str = ""
    level: str = ""
    when: str | tuple[str, ...] = ()
    message: dict[str, JsonObject] = {}
    """By moment, each with `text`."""
    cc: str = ""
    custom_subject: str = ""
    custom_body: str = ""
    custom_message: str = ""
    publisher_name: str = ""
    notify_every_ms: float = 0
    """Of a manual judgment: how often it reminds."""


class StageCondition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`stageEnabled`: when the stage runs at all."""

    type: str = ""
    expression: Plain = ""


class Times(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One window of a day, in local time."""

    start_hour: int
    start_min: int = 0
    end_hour: int
    end_min: int = 0


class Jitter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A chance delay behind the opening, so that many pipelines don't begin at once."""

    enabled: bool = False
    skip_manual: bool = False
    """Not for executions that a person has started."""
    min_delay: int = 0
    """Seconds."""
    max_delay: int = 0
    """Seconds; 0: no delay."""


class ExecutionWindow(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`restrictedExecutionWindow`: when the stage may begin."""

    whitelist: tuple[Times, ...] | None = None
    days: tuple[int, ...] | None = None
    jitter: Jitter | None = None


class StageKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The keys that every stage understands. `type` and `refId` are the graph's business."""

    name: str = ""
    alias: str = ""
    """Another name under which the stage's type is looked up."""
    comments: Json = ""
    provider_type: str = ""
    cloud_provider: str = ""
    cloud_provider_type: str = ""
    requisite_stage_ref_ids: tuple[str | int, ...] = ()
    start_time_expiry: str | int = ""
    """Epoch milliseconds: later the stage is skipped."""

    fail_pipeline: bool = True
    continue_pipeline: bool = False
    complete_other_branches_then_fail: bool = False
    fail_on_failed_expressions: bool = False
    allow_sibling_stages_to_continue_on_failure: bool = False
    mark_successful_on_timeout: bool = False
    override_timeout: bool = False
    """A mark of Spinnaker's page for `stageTimeoutMs`."""
    stage_timeout_ms: float = 0
    backoff_period_ms: float = 0

    stage_enabled: StageCondition = StageCondition()
    restrict_execution_during_time_window: bool = False
    restricted_execution_window: ExecutionWindow = ExecutionWindow()
    skip_window_text: str = ""
    """What Spinnaker's page says to whoever skips the window."""
    manual_skip: bool = False
    skippable: bool = False
    skip_remaining_wait: bool = False

    send_notifications: bool = False
    notifications: tuple[NotificationKeys, ...] = ()
    expected_artifacts: tuple[ExpectedArtifactKeys, ...] = ()
