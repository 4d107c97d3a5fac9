"""Artifacts: what pipelines are started with and hand on. Matching is in triggers/artifacts.py."""

import msgspec

from gennaker.model.codec import JsonObject


class Artifact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A Spinnaker artifact. Unknown keys of its JSON are folded into `metadata` by `triggers.artifacts.read`."""

    type: str | None = None
    custom_kind: bool = False
    name: str | None = None
    version: str | None = None
    location: str | None = None
    reference: str | None = None
    metadata: JsonObject = {}
    artifact_account: str | None = None
    provenance: str | None = None
    uuid: str | None = None


class ExpectedArtifact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """An artifact that a pipeline or a stage expects, and the one that was bound to it."""

    id: str = ""
    display_name: str = ""
    match_artifact: Artifact = Artifact()
    use_prior_artifact: bool = False
    use_default_artifact: bool = False
    default_artifact: Artifact | None = None
    bound_artifact: Artifact | None = None
