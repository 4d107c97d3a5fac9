"""Secrets: resolves references at the last moment, and masks in whatever leaves what this process has ever resolved."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from gennaker.access.masking import SHORTEST, Masker
from gennaker.interfaces.secrets import SecretEngine, SecretUse
from gennaker.model import secret_references
from gennaker.model.codec import Json
from gennaker.model.problems import Problem, Refused
from gennaker.model.secret_references import SecretReference

Record = TypeVar("Record")
_FOR_PIPELINES = "store"
"""The only engine that asks which pipeline wants a secret."""
_ELSEWHERE = {
    "vault": "HashiCorp Vault",
    "secrets-manager": "AWS Secrets Manager",
    "s3": "AWS S3",
    "gcs": "Google Cloud Storage",
    "google-secrets-manager": "Google Secret Manager",
    "k8s": "Kubernetes",
}
"""Spinnaker's engines that only a plugin can offer."""


class FileSecrets:
    """Files of the server's machine. Offers the port SecretEngine."""

    name = "file"

    async def read(self, parameters: Mapping[str, str], use: SecretUse) -> str:
        """What stands in the file `f`, without white space at its ends."""
        path = parameters.get("f", "")
        try:
            return (await asyncio.to_thread(Path(path).read_text, encoding="utf-8")).strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
            message = f"The secret's file {path!r} can't be read: {why}."
            raise Refused(Problem(code="secret.file", message=message, remedy="Correct the reference.")) from error


class EnvironmentSecrets:
    """Variables of the server's environment. Offers the port SecretEngine."""

    name = "env"

    def __init__(self, environment: Mapping[str, str]) -> None:
        """The server's own."""
        self._environment = environment

    async def read(self, parameters: Mapping[str, str], use: SecretUse) -> str:
        """The variable `n`."""
        name = parameters.get("n", "")
        value = self._environment.get(name, "")
        if not value:
            message = f"The variable {name!r} of the server's environment isn't set."
            raise Refused(Problem(code="secret.variable", message=message, remedy="Set it and start the server again."))
        return value


class ResolvedSecrets:
    """Offers the port Secrets."""

    def __init__(self, masker: Masker) -> None:
        """Engines are added while the parts of a server are put together."""
        self._masker = masker
        self._engines: dict[str, SecretEngine] = {}

    def offer(self, engines: Sequence[SecretEngine]) -> None:
        """The first of a name stays."""
        for engine in engines:
            self._engines.setdefault(engine.name, engine)

    async def fill(self, value: Json, use: SecretUse) -> Json:
        """The value with secrets in the place of references; keys stay as they are."""
        match value:
            case str():
                references = secret_references.find(value)
                values = {one.text: await self._resolved(one, use) for one in references}
                return secret_references.filled(value, values) if values else value
            case list():
                return [await self.fill(item, use) for item in value]
            case dict():
                return {key: await self.fill(item, use) for key, item in value.items()}
            case _:
                return value

    def know(self, secret: str) -> None:
        """Has it masked from now on."""
        self._masker.know(secret)

    def masked_text(self, text: str) -> str:
        """Without secrets."""
        return self._masker.masked_text(text)

    def masked_bytes(self, content: bytes) -> bytes:
        """Without secrets."""
        return self._masker.masked_bytes(content)

    def masked(self, record: Record) -> Record:
        """Without secrets."""
        return self._masker.masked(record)

    async def _resolved(self, reference: SecretReference, use: SecretUse) -> str:
        if use.application is not None and reference.engine != _FOR_PIPELINES:
            raise Refused(_settings_only(reference), status=403)
        engine = self._engines.get(reference.engine)
        if engine is None:
            raise Refused(self._missing(reference), status=501)
        value = await engine.read(reference.parameters, use)
        if len(value) < SHORTEST:
            raise Refused(_short(reference))
        self._masker.know(value)
        return value

    def _missing(self, reference: SecretReference) -> Problem:
        system = _ELSEWHERE.get(reference.engine)
        what = f"{system} ({reference.engine})" if system else repr(reference.engine)
        return Problem(
            code="secret.no_engine",
            message=f"No installed plugin reads secrets of {what}.",
            remedy=f"Install one that does, or use one of {', '.join(sorted(self._engines))}.",
        )


def _settings_only(reference: SecretReference) -> Problem:
    return Problem(
        code="secret.settings_only",
        message=f"Pipelines can't use secrets of the engine {reference.engine!r}: only the settings can.",
        remedy="Keep it in the store (`gennaker secret set NAME --application APPLICATION`) and write `encrypted:store!n:NAME`.",
    )


def _short(reference: SecretReference) -> Problem:
    return Problem(
        code="secret.length",
        message=f"What {reference.text} refers to has less than {SHORTEST} characters: it couldn't be masked.",
        remedy="Use a longer secret.",
    )
