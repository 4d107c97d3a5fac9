"""Real clients against the registry: podman, skopeo and buildah push to it and pull from it."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from tests.registry_servers import own_registry

from gennaker.plugins.oci.client import RegistryClient
from gennaker.plugins.oci.session import RegistryAccount
from gennaker.transport.images import building, unpacking
from gennaker.transport.images.building import BuildRequest, BuiltImage

pytestmark = [pytest.mark.root, pytest.mark.debian, pytest.mark.slow]

DOCKERFILE = """\
FROM scratch
COPY busybox /bin/busybox
COPY page.txt /srv/
ENV GREETING=hello
ENTRYPOINT ["/bin/busybox"]
CMD ["cat", "/srv/page.txt"]
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """A registry."""
    with own_registry(tmp_path / "data") as served:
        yield served


@pytest.fixture
def built(tmp_path: Path) -> BuiltImage:
    """A small image that can run, in the layout `layout`."""
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "page.txt").write_text("a page\n")
    (context / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (context / "busybox").chmod(0o755)
    return building.build(
        BuildRequest(
            context=context,
            dockerfile=Path("Dockerfile"),
            layout=tmp_path / "layout",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            scratch=tmp_path / "scratch",
        )
    )


def run(*words: str) -> str:
    """Runs a program; its output is the failure's message."""
    # Signatures and settings of this machine's users must not decide.
    environment = {"PATH": os.defpath + ":/usr/sbin:/sbin", "HOME": "/root"}
    with TemporaryDirectory() as elsewhere:  # a container's monitor leaves an empty file where it was started
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=600, check=False, env=environment, cwd=elsewhere
        )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[list[str]]:
    """Options that keep podman's and buildah's files apart from this machine's."""
    with TemporaryDirectory(prefix="run-") as short:  # podman takes no longer path for its run root
        yield [f"--root={tmp_path / 'root'}", f"--runroot={short}", "--storage-driver=vfs"]


def test_skopeo_pushes_lists_inspects_and_pulls(host: str, built: BuiltImage, tmp_path: Path) -> None:
    layout, name = f"oci:{tmp_path / 'layout'}", f"docker://{host}/team/shop"

    run("skopeo", "copy", "--dest-tls-verify=false", layout, f"{name}:1.0")
    run("skopeo", "copy", "--dest-tls-verify=false", "--format=v2s2", layout, f"{name}:1.0-docker")
    run("skopeo", "copy", "--src-tls-verify=false", f"{name}:1.0", f"oci:{tmp_path / 'pulled'}:x")
    run("skopeo", "copy", "--src-tls-verify=false", f"{name}:1.0-docker", f"dir:{tmp_path / 'docker'}")

    tags = json.loads(run("skopeo", "list-tags", "--tls-verify=false", name))["Tags"]
    facts = json.loads(run("skopeo", "inspect", "--tls-verify=false", f"{name}:1.0"))
    assert tags == ["1.0", "1.0-docker"]
    assert facts["Digest"] == built.digest
    assert unpacking.unpack_image(tmp_path / "pulled", built.digest, tmp_path / "unpacked").run.environment == {
        "GREETING": "hello"
    }


@pytest.mark.usefixtures("built")
def test_skopeo_is_told_why_an_immutable_tag_is_refused(host: str, tmp_path: Path) -> None:
    layout, name = f"oci:{tmp_path / 'layout'}", f"docker://{host}/shop:1.0"
    run("skopeo", "copy", "--dest-tls-verify=false", layout, name)
    run("skopeo", "copy", "--dest-tls-verify=false", layout, name)

    refused = subprocess.run(
        ["skopeo", "copy", "--dest-tls-verify=false", "--format=v2s2", layout, name],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )

    assert refused.returncode != 0
    assert "for good and can't be given" in refused.stderr


def test_podman_pulls_runs_and_pushes_what_gennaker_built(
    host: str, built: BuiltImage, storage: list[str], tmp_path: Path
) -> None:
    asyncio.run(push(host, tmp_path / "layout", built.digest))
    podman = ["podman", *storage, "--runtime=runc"]
    image = f"{host}/shop@{built.digest}"

    run(*podman, "pull", "--tls-verify=false", image)
    limits = ["--ulimit=nofile=20000:20000", "--ulimit=nproc=10000:10000"]
    output = run(*podman, "run", "--rm", "--network=none", *limits, image)
    run(*podman, "push", "--tls-verify=false", image, f"{host}/again:1.0")
    run(*podman, "push", "--tls-verify=false", "--format=v2s2", image, f"{host}/again:1.0-docker")

    assert output == "a page\n"
    assert asyncio.run(labels(host, "again", "1.0")) == asyncio.run(labels(host, "again", "1.0-docker"))


def test_buildah_builds_on_what_is_in_the_registry_and_pushes(
    host: str, built: BuiltImage, storage: list[str], tmp_path: Path
) -> None:
    asyncio.run(push(host, tmp_path / "layout", built.digest))
    context = tmp_path / "child"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {host}/shop:1.0\nLABEL made-by=buildah\n")
    buildah = ["buildah", *storage]

    run(*buildah, "build", "--isolation=chroot", "--tls-verify=false", "--tag=child", str(context))
    run(*buildah, "push", "--tls-verify=false", "child", f"docker://{host}/child:1.0")

    assert asyncio.run(labels(host, "child", "1.0"))["made-by"] == "buildah"


async def push(host: str, layout: Path, digest: str) -> None:
    client = client_of(host)
    await client.push(layout, digest, repository="shop", tag="1.0")
    await client.close()


async def labels(host: str, repository: str, tag: str) -> dict[str, str]:
    client = client_of(host)
    facts = await client.inspect(repository, tag)
    await client.close()
    assert facts is not None
    return facts.run.labels


def client_of(host: str) -> RegistryClient:
    return RegistryClient(RegistryAccount(name="local", address=f"http://{host}"))
