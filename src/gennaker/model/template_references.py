"""Template references: how stored pipeline templates are named, tagged and referred to (Front50's rules).

A template is stored under `id`, `id:tag` and `id@sha256:digest`; a pipeline refers to one of these by
`spinnaker://<key>`.
"""

import hashlib
from collections.abc import Iterable

from gennaker.model.codec import JsonObject, encode_sorted

KIND = "template"
"""Kind of the definitions that hold templates."""
SCHEME = "spinnaker://"
LATEST = "latest"
TAGS = (LATEST, "stable", "unstable", "experimental", "test", "canary")
_DIGEST = "@sha256:"
_OF_THE_STORE = frozenset({"tag", "digest", "updateTs", "createTs", "lastModifiedBy"})
"""Keys that say where and when a template was stored, not what it is."""


def key_of(reference: str) -> str:
    """The key under which the template is stored; empty: the reference isn't one to a stored template."""
    return reference.removeprefix(SCHEME).strip() if reference.startswith(SCHEME) else ""


def undecorated(key: str) -> str:
    """The id without tag and digest."""
    return key.partition("@")[0].partition(":")[0]


def tagged(template_id: str, tag: str) -> str:
    """The key of a tag; without one, of the template itself."""
    return f"{undecorated(template_id)}:{tag}" if tag else undecorated(template_id)


def digested(template_id: str, digest: str) -> str:
    """The key of one content."""
    return f"{undecorated(template_id)}{_DIGEST}{digest.removeprefix('sha256:')}"


def tag_of(key: str) -> str:
    """The tag in a key, or nothing."""
    return key.partition("@")[0].partition(":")[2]


def template_of(pipeline: JsonObject) -> str:
    """The id of the template that a pipeline is made from, whatever the tag or digest; empty: none."""
    used = pipeline.get("template")
    reference = used.get("reference") if isinstance(used, dict) else None
    return undecorated(key_of(reference)) if isinstance(reference, str) else ""


def users(template: str, pipelines: Iterable[JsonObject]) -> tuple[str, ...]:
    """The applications of the pipelines that are made from it, in any of its versions."""
    made = [one for one in pipelines if template_of(one) == undecorated(template)]
    return tuple(sorted({str(one.get("application") or "") for one in made}))


def digest_of(template: JsonObject) -> str:
    """SHA-256 of what the template says."""
    content = {key: value for key, value in template.items() if key not in _OF_THE_STORE}
    return hashlib.sha256(encode_sorted(content)).hexdigest()
