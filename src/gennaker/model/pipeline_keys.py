"""Pipeline keys: what a pipeline's definition may say beside its stages and triggers."""

from typing import Annotated

import msgspec

from gennaker.model.artifact import ExpectedArtifactKeys, Plain
from gennaker.model.codec import Json, JsonObject
from gennaker.model.stage_keys import NotificationKeys


class OptionKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A value that a parameter may have."""

    value: Plain = ""


class ParameterKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A parameter that whoever starts the pipeline may give."""

    name: Annotated[str, msgspec.Meta(pattern=r"\S", extra={"wanted": "a name"})]
    label: str = ""
    description: str = ""
    default: Json = None
    required: bool = False
    pinned: bool = False
    has_options: bool = False
    options: tuple[OptionKeys, ...] = ()
    constraint: str = ""
    conditional: JsonObject = {}


class PipelineKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What Spinnaker reads into types. Names and ids are for those who store pipelines, stages and triggers are apart."""

    name: str = ""
    description: str = ""
    type: str = ""
    schema: Plain = ""
    disabled: bool = False
    limit_concurrent: bool = False
    max_concurrent_executions: Annotated[int, msgspec.Meta(ge=0)] = 0
    keep_waiting_pipelines: bool = False
    spel_evaluator: str = ""
    start_time_expiry: str | int = ""
    """Epoch milliseconds: later an execution doesn't begin."""
    parameter_config: tuple[ParameterKeys, ...] = ()
    expected_artifacts: tuple[ExpectedArtifactKeys, ...] = ()
    received_artifacts: tuple[JsonObject, ...] = ()
    notifications: tuple[NotificationKeys, ...] = ()
    template: JsonObject = {}
    variables: JsonObject = {}
    template_variables: JsonObject = {}
    exclude: tuple[str, ...] = ()
    inherit: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    index: int = 0
    email: str = ""
    service_account: str = ""
    execution_engine: str = ""
    execution_id: str = ""
