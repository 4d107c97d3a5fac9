"""Settings of what renders manifests: the section `baking`."""

from typing import Annotated

import msgspec
from msgspec import Meta


class BakingSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Programs of bakeManifest stages: a name, which is looked for in the PATH, or a path."""

    helm: Annotated[str, Meta(min_length=1)] = "helm"
    """Helm 3 or newer."""
    helm2: Annotated[str, Meta(min_length=1)] = "helm2"
    kustomize: str = ""
    """Empty: `kustomize`, or else `kubectl`, which has it built in."""
    timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 120.0
    """Of one rendering."""
