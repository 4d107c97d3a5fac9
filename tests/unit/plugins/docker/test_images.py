"""Images of a container engine: how it is told to sign in to the registries that they come from."""

import asyncio
import base64
import json
from pathlib import Path

import pytest

from gennaker.access.masking import Masker
from gennaker.access.secrets import EnvironmentSecrets, ResolvedSecrets
from gennaker.model.codec import JsonObject, encode
from gennaker.model.problems import Refused
from gennaker.plugins.docker.engine import Answer, Engine
from gennaker.plugins.docker.images import Images
from gennaker.settings import DockerRegistrySettings, DockerSettings

DIGEST = "sha256:" + "0" * 64
IMAGE = f"registry.example/shop@{DIGEST}"
FOUND: JsonObject = {"Id": "x", "RepoDigests": [IMAGE], "Config": {"Cmd": ["run"]}}
PASSWORD = "the registry's password"


class Pulling(Engine):
    """An engine that has an image once it was pulled, and keeps how it signed in."""

    def __init__(self) -> None:
        super().__init__("prod", DockerSettings())
        self.credentials: list[str] = []

    async def ask(self, *_: object, **__: object) -> Answer | None:  # type: ignore[override]  # whatever is asked
        return Answer(status=200, body=encode(FOUND)) if self.credentials else None

    async def pull(self, reference: str, *, credentials: str = "") -> None:
        self.credentials.append(credentials)


def signed_in(registry: DockerRegistrySettings, secrets: ResolvedSecrets) -> JsonObject:
    engine = Pulling()
    images = Images(engine, DockerSettings(registries=(registry,)), {}, secrets)
    asyncio.run(images.ready(IMAGE))
    found: JsonObject = json.loads(base64.urlsafe_b64decode(engine.credentials[0]))
    return found


def secrets() -> ResolvedSecrets:
    made = ResolvedSecrets(Masker())
    made.offer((EnvironmentSecrets({"REGISTRY": PASSWORD}),))
    return made


@pytest.mark.parametrize("is_reference", [True, False])
def test_the_password_comes_from_a_reference_or_a_file_and_is_masked(tmp_path: Path, is_reference: bool) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    given = {"password": "secret://env?n=REGISTRY"} if is_reference else {"password_file": str(tmp_path / "password")}
    known = secrets()

    found = signed_in(DockerRegistrySettings(host="registry.example", username="ada", **given), known)

    assert found == {"username": "ada", "password": PASSWORD, "serveraddress": "registry.example"}
    assert known.masked_text(f"denied: {PASSWORD}") == "denied: ****"


def test_a_password_that_is_nowhere_is_said() -> None:
    with pytest.raises(Refused) as refused:
        signed_in(DockerRegistrySettings(host="registry.example", username="ada"), secrets())

    assert refused.value.problems[0].code == "docker.registry_password"


def test_only_what_is_a_port_is_one() -> None:
    written = ("8080", "80", "web", "8000-8010", "²", "70000", "9" * 5_000)
    exposed: JsonObject = {f"{one}/tcp": {} for one in written}

    class Exposing(Engine):
        async def ask(self, *_: object, **__: object) -> Answer | None:  # type: ignore[override]  # whatever is asked
            return Answer(status=200, body=encode({**FOUND, "Config": {"ExposedPorts": exposed}}))

    images = Images(Exposing("prod", DockerSettings()), DockerSettings(), {}, secrets())

    assert asyncio.run(images.ready(IMAGE)).ports == (80, 8080)
