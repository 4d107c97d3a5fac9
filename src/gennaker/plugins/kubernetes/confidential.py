"""Confidential: what of a Secret is neither kept nor shown. Pure."""

import re

from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import annotations, kinds, manifests

_SECRET = "secret"  # noqa: S105 - a kind
_OF_FIELD = re.compile(r"\b(?:(?:Invalid|Unsupported|Duplicate|Required) value|Not found|Forbidden|Too long)\b")
"""How what is wrong with fields is told, one by one: each kind of mistake has words of its own."""
_DENIED = re.compile(r"\bdenied (?:the )?request\b|\bdoes not support dry run\b")
"""In the words of whoever runs the cluster."""
_CUT = (
    (
        re.compile(
            r'\b((?:Invalid|Unsupported|Duplicate) value|Not found): (?:"(?:[^"\\]|\\.)*"|[\w.+-]+(?=:|$)|[^\n]*)'
        ),
        r"\1 (not shown)",
    ),
    (re.compile(r"\bcannot unmarshal (\w+) \S+ into\b"), r"cannot unmarshal \1 into"),
    (re.compile(r",? got [^\n]*"), ""),
)
_TELLS = re.compile(
    r"\.[^\s:]+: (?:expected \w+|field not declared in schema)"
    r"|Go struct field [\w.]+ of type \S+"
    r'|(?:unknown|duplicate) field "[^"\s]*"'
    r"|illegal base64 data at input byte \d+"
    r"|metadata\.\w+ must be nil"
)
"""All that is shown where an object as a whole can't be read: any other words may have come from it."""
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


def told(said: str) -> str:
    """What an API server says against a Secret, without what it repeats of it."""
    if _OF_FIELD.search(said) or _DENIED.search(said):
        for pattern, instead in _CUT:
            said = pattern.sub(instead, said)
        return said
    fields = "; ".join(dict.fromkeys(found[0] for found in _TELLS.finditer(said))) or "it isn't accepted"
    return f"{fields} (what else it says may repeat values and isn't shown)"
