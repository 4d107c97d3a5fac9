"""Artifact accounts: reading what artifacts refer to.

An artifact names its account; one that carries its content needs none. What is wrong for good is raised as `Refused`.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused

INLINE = frozenset({"embedded/base64", "remote/base64"})
"""Types of artifacts that carry their content as their reference."""
PUBLIC_HTTP = "no-auth-http-account"
"""The account of `http/file` without credentials, which always exists."""


class ArtifactUnavailable(Exception):
    """Nobody has answered, or not now: asking again later may help. The text says what."""


class ArtifactAccount(Protocol):
    """Where artifacts of some types can be read."""

    @property
    def name(self) -> str:
        """What artifacts name as `artifactAccount`."""
        ...

    @property
    def types(self) -> tuple[str, ...]:
        """Spinnaker's artifact types that it reads."""
        ...

    async def fetch(self, artifact: JsonObject) -> bytes:
        """The content. Raises ArtifactUnavailable, Refused."""
        ...


@runtime_checkable
class ArtifactCatalogue(Protocol):
    """An artifact account that can say what it has, for people to choose from."""

    async def artifact_names(self) -> tuple[str, ...]:
        """What artifacts of it can be named, in order. Raises ArtifactUnavailable, Refused."""
        ...

    async def artifact_versions(self, name: str) -> tuple[str, ...]:
        """The versions of one, the newest first. Raises ArtifactUnavailable, Refused (404 where there is no such name)."""
        ...


async def content(accounts: Mapping[str, ArtifactAccount], artifact: JsonObject) -> bytes:
    """The content of an artifact, by its account where it doesn't carry it. Raises ArtifactUnavailable, Refused."""
    kind = foreign.text(artifact.get("type"))
    if kind in INLINE:
        return _decoded(foreign.text(artifact.get("reference")))
    name = account_of(artifact)
    account = accounts.get(name)
    if account is None or kind not in account.types:
        raise Refused(_no_account(kind, name, accounts))
    return await account.fetch(artifact)


def account_of(artifact: JsonObject) -> str:
    """By which account its content is read; empty where that takes none, or none is named."""
    kind = foreign.text(artifact.get("type"))
    if kind in INLINE:
        return ""
    return foreign.text(artifact.get("artifactAccount")) or (PUBLIC_HTTP if kind == "http/file" else "")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        message = f"The artifact's reference isn't base64: {error}."
        raise Refused(Problem(code="artifact.not_base64", message=message)) from error


def _no_account(kind: str, name: str, accounts: Mapping[str, ArtifactAccount]) -> Problem:
    fitting = sorted(one.name for one in accounts.values() if kind in one.types)
    readable = sorted({*INLINE, *(one for account in accounts.values() for one in account.types)})
    if not fitting:
        remedy = (
            f"Types that can be read here are {', '.join(readable)}; accounts stand in the setting artifact-accounts."
        )
    else:
        remedy = f"Set its `artifactAccount` to {' or '.join(fitting)}."
    said = f"the account {name!r}" if name else "no account"
    return Problem(
        code="artifact.no_account",
        message=f"The artifact of type {kind!r} names {said}, by which it can't be read.",
        remedy=remedy,
    )
