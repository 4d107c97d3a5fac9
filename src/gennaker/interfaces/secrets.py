"""Secrets: what turns references into values, and what finds values in texts that leave."""

from collections.abc import Mapping
from typing import Protocol, TypeVar

import msgspec

from gennaker.model import secret_references
from gennaker.model.codec import Json

MASK = "****"
Record = TypeVar("Record")


class SecretUse(msgspec.Struct, frozen=True, kw_only=True):
    """For what a secret is wanted."""

    application: str | None = None
    """Whose pipeline refers to it; None: the settings do, which may use everything."""
    host: str = ""
    """To which it will be sent; empty: nowhere, it stays in a job."""


OF_SETTINGS = SecretUse()


class SecretEngine(Protocol):
    """A place where secrets are kept."""

    @property
    def name(self) -> str:
        """As references name it."""
        ...

    async def read(self, parameters: Mapping[str, str], use: SecretUse) -> str:
        """The secret. Raises Refused, with a sentence that holds nothing of it, where it is unknown or not for this use."""
        ...


class Secrets(Protocol):
    """Values of references, and their masking."""

    async def fill(self, value: Json, use: SecretUse) -> Json:
        """The value with secrets in the place of references, however deep. Raises Refused."""
        ...

    def know(self, secret: str) -> None:
        """Has it masked from now on: it was read from elsewhere."""
        ...

    def masked_text(self, text: str) -> str:
        """Without secrets."""
        ...

    def masked_bytes(self, content: bytes) -> bytes:
        """As `masked_text`, of a file."""
        ...

    def masked(self, record: Record) -> Record:
        """A record or JSON without secrets; itself, where there are none."""
        ...


async def variables(secrets: Secrets, environment: Mapping[str, str], application: str) -> dict[str, str]:
    """Those variables that refer to secrets, with the values. Raises Refused for what the application may not use."""
    use = SecretUse(application=application)
    return {
        name: str(await secrets.fill(value, use))
        for name, value in environment.items()
        if secret_references.is_in(value)
    }
