"""Artifacts: what pipelines are started with and hand on. Reading and matching are in artifact_matching.py."""

from typing import Annotated, TypeAlias

import msgspec

from gennaker.model.codec import JsonObject

Plain: TypeAlias = Annotated[str | int | float | bool, msgspec.Meta(extra={"wanted": "text"})]
"""Text, or what people write without quotes where text is meant."""


class Artifact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A Spinnaker artifact. Unknown keys of its JSON are folded into `metadata` by `artifact_matching.read`."""

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


class ArtifactKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An artifact as documents have it: where text is meant, a number will do (`version: 2.0`)."""

    type: Plain = ""
    custom_kind: bool = False
    name: Plain = ""
    version: Plain = ""
    location: Plain = ""
    reference: Plain = ""
    metadata: JsonObject = {}
    artifact_account: Plain = ""
    provenance: Plain = ""
    uuid: Plain = ""


class ExpectedArtifactKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An expected artifact as documents have it."""

    id: str = ""
    display_name: str = ""
    match_artifact: ArtifactKeys = ArtifactKeys()
    use_prior_artifact: bool = False
    use_default_artifact: bool = False
    default_artifact: ArtifactKeys = ArtifactKeys()
    bound_artifact: ArtifactKeys = ArtifactKeys()
