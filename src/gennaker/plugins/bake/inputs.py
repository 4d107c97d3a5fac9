"""Input artifacts: which ones a stage means, their content, and archives of them as files that lead nowhere else."""

import asyncio
import io
from pathlib import Path, PurePosixPath

import msgspec

from gennaker.interfaces import artifacts
from gennaker.interfaces.stages import StageContext
from gennaker.model import foreign
from gennaker.model.artifact import Plain
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.transport import archives

_LIMITS = archives.ArchiveLimits(total_bytes=500_000_000, entries=50_000)
_GZIP = b"\x1f\x8b"


class Input(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One of a stage's `inputArtifacts`."""

    id: Plain = ""
    """Of an expected artifact; empty, or nothing is bound to it: `artifact` itself."""
    account: Plain = ""
    """By which it is read; empty: the artifact's own."""
    artifact: JsonObject | None = None


def meant(context: StageContext, one: Input) -> JsonObject:
    """The artifact. Raises Refused where there is none."""
    expected_id = str(one.id)
    found = context.sight.bound_artifact(expected_id) if expected_id else None
    found = found or one.artifact
    if not found:
        named = f"No artifact is bound to the expected artifact {expected_id!r}" if expected_id else "It names none"
        raise Refused(
            Problem(
                code="bake.no_artifact",
                message=f"An input artifact of the stage can't be found: {named}.",
                remedy="Start the run with an artifact that fits it, or give the expected artifact a default.",
                pointer="/inputArtifacts",
            )
        )
    return {**found, "artifactAccount": str(one.account)} if one.account else found


async def content(context: StageContext, artifact: JsonObject) -> bytes:
    """Raises ArtifactUnavailable, Refused."""
    return await artifacts.content(context.services.artifacts, artifact)


def is_archive(data: bytes) -> bool:
    """Whether it can be a chart as it is, or a repository's files."""
    return data.startswith(_GZIP)


async def unpack(data: bytes, folder: Path, *, name: str) -> None:
    """Puts an archive's files into a folder that it makes. Raises Refused, too where a link leads out of it."""
    try:
        await asyncio.to_thread(_unpack, data, folder)
    except archives.ArchiveRefused as error:
        message = f"The input artifact {name!r} can't be unpacked: {error}."
        raise Refused(Problem(code="bake.archive", message=message), status=422) from error


def inside(folder: Path, path: str, *, key: str) -> Path:
    """What a path of the stage names among an artifact's files. Raises Refused."""
    pure = PurePosixPath(path)
    if ".." in pure.parts or pure.is_absolute():
        raise Refused(_bad_path(path, key, "leads out of the artifact"), status=422)
    found = folder / pure
    if not found.exists():
        raise Refused(_bad_path(path, key, "isn't in the artifact"), status=422)
    return found


def named(artifact: JsonObject) -> str:
    """As messages call it."""
    return foreign.text_at(artifact, "name") or foreign.text_at(artifact, "reference")[:120]


def _unpack(data: bytes, folder: Path) -> None:
    folder.mkdir()
    archives.unpack_archive(io.BytesIO(data), folder, limits=_LIMITS)
    real = folder.resolve()
    for one in folder.rglob("*"):
        if one.is_symlink() and not one.resolve().is_relative_to(real):
            raise archives.ArchiveRefused(f"the link {one.relative_to(folder)} leads out of it")


def _bad_path(path: str, key: str, said: str) -> Problem:
    return Problem(
        code="bake.path", message=f"The {key} {path!r} {said}.", remedy="Correct the path.", pointer=f"/{key}"
    )
