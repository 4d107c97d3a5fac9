"""Secret variables: those of a container that stand in a Secret of their workload's own, which goes with the workload. Pure.

The workload is made first, since the Secret must name it as its owner; its pods wait for the Secret. Who made the workload and
was ended before the Secret makes the one that is missing.
"""

import base64
import hashlib
from collections.abc import Collection, Mapping

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.plugins.kubernetes import manifests


def name_of(workload: str, key: str) -> str:
    """The Secret's, of a server group that this effect makes: nobody's before, if there was a workload of the same name."""
    return f"{workload}.{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def variables(environment: Mapping[str, str], secret: Collection[str], name: str) -> list[Json]:
    """A container's, of which the `secret` ones are in the Secret of this name."""
    return [
        {"name": one, "valueFrom": {"secretKeyRef": {"name": name, "key": one}}}
        if one in secret
        else {"name": one, "value": value}
        for one, value in environment.items()
    ]


def secret_of(owner: JsonObject, name: str, values: Mapping[str, str]) -> JsonObject:
    """The Secret that a live workload waits for."""
    metadata = manifests.metadata(owner)
    reference: JsonObject = {
        "apiVersion": foreign.text_at(owner, "apiVersion"),
        "kind": foreign.text_at(owner, "kind"),
        "name": metadata.get("name"),
        "uid": metadata.get("uid"),
        "blockOwnerDeletion": False,
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": metadata.get("namespace"), "ownerReferences": [reference]},
        "type": "Opaque",
        "immutable": True,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }
