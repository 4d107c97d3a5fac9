"""Dockerfiles that run programs are built by buildah, podman or docker."""

import asyncio
import os
import subprocess
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gennaker.model.problems import Refused
from gennaker.transport.images import building, external, unpacking
from gennaker.transport.images import layout as layouts
from gennaker.transport.images.building import BaseImage, BuildRequest, BuiltImage
from gennaker.transport.images.external import Tool, ToolKind
from gennaker.transport.permissions import private_files

ENVIRONMENT = {"PATH": f"{os.defpath}:/usr/sbin:/sbin", "HOME": "/root"}
BASE = "registry.example/base:1"
TEXT = f'FROM {BASE}\nRUN busybox mkdir /made && busybox echo made > /made/file\nCMD ["/bin/sh"]\n'


def request(folder: Path, text: str, **more: object) -> BuildRequest:
    context = folder / "context"
    context.mkdir(parents=True, exist_ok=True)
    (context / "Dockerfile").write_text(text)
    given: dict[str, object] = {
        "context": context,
        "dockerfile": Path("Dockerfile"),
        "layout": folder / "layout",
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "labels": {"mark": "x"},
        "scratch": folder / "scratch",
    }
    return BuildRequest(**{**given, **more})  # type: ignore[arg-type]  # a builder's keywords


def build(wanted: BuildRequest, tool: Tool | None, seconds: float = 120) -> BuiltImage:
    return asyncio.run(external.build(wanted, tool, environment=ENVIRONMENT, timeout=timedelta(seconds=seconds)))


def script(folder: Path, text: str) -> Tool:
    """A tool that is a shell script."""
    program = folder / "tool"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return Tool(kind=ToolKind.BUILDAH, program=str(program))


def busybox_image(folder: Path) -> BaseImage:
    context = folder / "context"
    context.mkdir(parents=True)
    for name in ("busybox", "sh"):
        (context / name).write_bytes(Path("/bin/busybox").read_bytes())
        (context / name).chmod(0o755)
    built = building.build(request(folder, "FROM scratch\nCOPY busybox sh /bin/\nENV PATH=/bin\n"))
    return BaseImage(layout=folder / "layout", digest=built.digest)


def test_without_a_tool_the_sentence_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="Dockerfile line 2: RUN needs buildah, podman or docker"):
        build(request(tmp_path, "FROM scratch\nRUN make\n"), None)


def test_without_run_no_tool_is_used(tmp_path: Path) -> None:
    tool = script(tmp_path, "exit 9")

    assert build(request(tmp_path, "FROM scratch\nENV A=1\n"), tool).labels["mark"] == "x"


def test_a_tools_failure_is_shown_with_the_end_of_its_output(tmp_path: Path) -> None:
    tool = script(tmp_path, "echo one; echo 'no such program: make' >&2; exit 3")

    with pytest.raises(Refused, match="failed with exit status 3: no such program: make") as refused:
        build(request(tmp_path, "FROM scratch\nRUN make\n"), tool)

    assert refused.value.problems[0].details == {"log": "one\nno such program: make", "exitStatus": 3}
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_tool_writes_as_on_any_machine(tmp_path: Path) -> None:
    tool = script(tmp_path, "umask >&2; exit 3")

    with private_files(), pytest.raises(Refused, match="0022"):
        build(request(tmp_path, "FROM scratch\nRUN make\n"), tool)


def test_a_tool_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    tool = script(tmp_path, f"echo $$ > {tmp_path / 'pid'}; sleep 60")

    with pytest.raises(Refused, match=r"did not finish building within 0\.2 s"):
        build(request(tmp_path, "FROM scratch\nRUN make\n"), tool, seconds=0.2)

    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}/cmdline").exists() or Path(f"/proc/{pid}/cmdline").read_bytes() == b""


def test_finds_a_tool_on_the_search_path(tmp_path: Path) -> None:
    (tmp_path / "docker").write_text("#!/bin/sh\n")
    (tmp_path / "docker").chmod(0o755)

    assert external.find_tool(str(tmp_path)) == Tool(kind=ToolKind.DOCKER, program=str(tmp_path / "docker"))
    assert external.find_tool(str(tmp_path / "empty")) is None


@pytest.mark.root
@pytest.mark.debian
@pytest.mark.slow
@pytest.mark.parametrize("kind", [ToolKind.BUILDAH, ToolKind.PODMAN])
def test_tools_build_on_images_of_a_registry_reproducibly(tmp_path: Path, kind: ToolKind) -> None:
    base = busybox_image(tmp_path / "lower")
    tool = Tool(kind=kind, program=f"/usr/bin/{kind}")

    first = build(request(tmp_path / "one", TEXT, bases={BASE: base}), tool)
    second = build(request(tmp_path / "two", TEXT, bases={BASE: base}), tool)

    assert first == second
    unpacked = unpacking.unpack_image(tmp_path / "one" / "layout", first.digest, tmp_path / "unpacked")
    assert (unpacked.rootfs / "made" / "file").read_text() == "made\n"
    assert unpacked.run.labels["mark"] == "x"


@pytest.mark.root
@pytest.mark.debian
@pytest.mark.slow
def test_what_docker_saves_becomes_a_layout(tmp_path: Path) -> None:
    base = busybox_image(tmp_path / "lower")
    layouts.add_manifest(
        base.layout,
        layouts.Descriptor(
            media_type="application/vnd.oci.image.manifest.v1+json",
            digest=base.digest,
            size=len(layouts.read_blob(base.layout, base.digest)),
        ),
        tag="x",
    )
    saved = tmp_path / "saved.tar"
    subprocess.run(
        ["skopeo", "copy", f"oci:{base.layout}:x", f"docker-archive:{saved}"],
        check=True,
        capture_output=True,
        timeout=600,
    )

    digest = external.from_docker_archive(saved, tmp_path / "layout")

    unpacked = unpacking.unpack_image(tmp_path / "layout", digest, tmp_path / "unpacked")
    assert (unpacked.rootfs / "bin" / "sh").read_bytes() == Path("/bin/busybox").read_bytes()
    assert unpacked.run.environment == {"PATH": "/bin"}


def test_a_broken_archive_is_a_sentence(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "saved.tar", "w"):
        pass

    with pytest.raises(Refused, match="What docker saved can't be read"):
        external.from_docker_archive(tmp_path / "saved.tar", tmp_path / "layout")
