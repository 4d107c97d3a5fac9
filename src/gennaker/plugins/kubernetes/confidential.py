"""Confidential: what of a Secret is neither kept nor shown. Pure."""

from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import annotations, kinds, manifests

_SECRET = "secret"  # noqa: S105 - a kind
_SENSITIVE = frozenset({"data", "stringData"})


def is_secret(manifest: JsonObject) -> bool:
    """Whether it is a Secret."""
    return kinds.of(manifest).name == _SECRET


def without_secrets(manifest: JsonObject) -> JsonObject:
    """Without the content of a Secret, in itself and in copies of what was applied; of other kinds as it is."""
    if not is_secret(manifest):
        return manifest
    own: JsonObject = {
        key: value for key, value in manifests.annotations(manifest).items() if key not in annotations.COPIES
    }
    kept = {key: value for key, value in manifest.items() if key not in _SENSITIVE}
    return {**kept, "metadata": {**manifests.metadata(manifest), "annotations": own}}
