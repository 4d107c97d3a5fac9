"""The build file: reading and checking `build.yaml` (docs/build-file.md). Pure; finds everything that is wrong at once."""

import re
from enum import StrEnum
from pathlib import PurePosixPath

import msgspec

from gennaker.model.problems import Problem, Refused
from gennaker.plugins.build.yaml_nodes import Fields, Reader
from gennaker.transport.images import manifests
from gennaker.transport.reports.reading import ReportKind
from gennaker.transport.reports.sarif import Level

NAME = "build.yaml"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDERS = ("version", "sha", "short_sha", "branch")
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9_.-]+")
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,80}\Z")
_SHORT = 7


class StepKind(StrEnum):
    """What a step is for; `sbom` and `scan` also say how it is done."""

    DEPENDENCIES = "dependencies"
    UNIT_TESTS = "unit-tests"
    INTEGRATION_TESTS = "integration-tests"
    LINT = "lint"
    STATIC_ANALYSIS = "static-analysis"
    SBOM = "sbom"
    SCAN = "scan"
    CUSTOM = "custom"


class FailOn(StrEnum):
    """The lowest level of a finding that fails a step."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NEVER = "never"

    @property
    def level(self) -> Level | None:
        """None: findings don't fail the step."""
        return None if self is FailOn.NEVER else Level(self.value)


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step."""

    name: str
    kind: StepKind = StepKind.CUSTOM
    run: tuple[str, ...] = ()
    """Program and arguments; empty for what the builder does itself."""
    timeout_seconds: float | None = None
    folder: str = "."
    """Relative to the service's folder."""
    environment: dict[str, str] = {}
    reports: dict[ReportKind, str] = {}
    """Paths relative to the step's folder."""
    fail_on: FailOn = FailOn.ERROR
    components: str = ""


class ImagePlan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The image to build."""

    name: str
    dockerfile: str = "Dockerfile"
    """Relative to the service's folder, as in docker's `--file`."""
    context: str = "."
    """Relative to the service's folder."""
    tag: str = "{version}-{short_sha}"


class BuildFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A build file that is in order."""

    service: str
    version_file: str = "VERSION"
    depends_on: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    image: ImagePlan | None = None


def read(text: str, *, path: str, folder: str) -> BuildFile:
    """Reads a build file that lies at `path` in the service's folder of the repository. Raises Refused with all problems."""
    reader = Reader(path, code="build_file.invalid", begins="service: shop")
    top = reader.top(text)
    file = _Checks(reader, folder).build_file(top) if top is not None else None
    if reader.problems or file is None:
        raise Refused(*reader.problems, status=422)
    return file


def version(text: str, *, path: str) -> str:
    """The first line of a version file. Raises Refused if a tag could not hold it."""
    lines = text.strip().splitlines()
    found = lines[0].strip() if lines else ""
    if not _VERSION.match(found):
        said = f"holds {found[:50]!r}" if found else "is empty"
        raise Refused(
            Problem(
                code="build.version",
                message=f"The version file {path} {said}, which can't be part of an image's tag.",
                remedy="Its first line is the version: letters, digits, '.', '_' and '-', such as 1.2.3.",
            ),
            status=422,
        )
    return found


def tag(pattern: str, *, version: str, commit: str, branch: str) -> str:
    """The image's tag. Raises Refused where none comes of it."""
    values = {
        "version": version,
        "sha": commit,
        "short_sha": commit[:_SHORT],
        "branch": _NOT_IN_TAGS.sub("-", branch).strip("-."),
    }
    made = _PLACEHOLDER.sub(lambda found: values[found[1]], pattern)
    if not manifests.is_tag(made):
        message = f"The image's tag would be {made!r}, which is none."
        remedy = "Tags have up to 128 letters, digits, '_', '.' and '-'; correct `image.tag` in the build file."
        raise Refused(Problem(code="build.tag", message=message, remedy=remedy), status=422)
    return made


class _Checks:
    """Turns nodes into records; what is wrong is noted in the reader."""

    def __init__(self, reader: Reader, folder: str) -> None:
        self._reader = reader
        self._folder = folder

    def build_file(self, fields: Fields) -> BuildFile:
        fields.only("service", "version-file", "depends-on", "steps", "image")
        image = fields.fields("image")
        return BuildFile(
            service=fields.text("service", is_needed=True),
            version_file=self._path(fields, "version-file", "VERSION"),
            depends_on=tuple(self._repository_path(fields, "depends-on", one) for one in fields.texts("depends-on")),
            steps=self._steps(fields),
            image=None if image is None else self._image(image),
        )

    def _steps(self, fields: Fields) -> tuple[Step, ...]:
        steps: list[Step] = []
        for found in fields.items("steps"):
            step = self._step(found)
            if any(step.name == earlier.name for earlier in steps) and step.name:
                found.wrong("name", f"two steps are named {step.name!r}")
            steps.append(step)
        return tuple(steps)

    def _step(self, fields: Fields) -> Step:
        fields.only(
            "name", "kind", "run", "timeout", "working-directory", "environment", "reports", "fail-on", "components"
        )
        kind = fields.choice("kind", StepKind, StepKind.CUSTOM)
        folder = self._path(fields, "working-directory", ".")
        step = Step(
            name=fields.text("name", is_needed=True),
            kind=kind,
            run=fields.command("run"),
            timeout_seconds=fields.seconds("timeout"),
            folder=folder,
            environment=fields.words("environment"),
            reports=self._reports(fields, folder),
            fail_on=fields.choice("fail-on", FailOn, FailOn.ERROR),
            components=self._path(fields, "components", ""),
        )
        self._fits_together(fields, step)
        return step

    def _fits_together(self, fields: Fields, step: Step) -> None:
        if not step.run and not fields.has("run") and step.kind not in (StepKind.SBOM, StepKind.SCAN):
            fields.wrong("", "it lacks `run`, the program and its arguments")
        if step.run and step.kind is StepKind.SCAN and ReportKind.SARIF not in step.reports:
            fields.wrong("run", "a scanner's result is read from its SARIF: add `reports: {sarif: …}`")
        if step.run and step.kind is StepKind.SBOM and ReportKind.SBOM not in step.reports:
            fields.wrong("run", "what the tool makes is read from its report: add `reports: {sbom: …}`")
        if not step.run and step.reports:
            fields.wrong("reports", "there is no `run` that could write reports")
        if step.components and (step.run or step.kind is not StepKind.SBOM):
            fields.wrong("components", "it is only for steps of kind sbom without `run`")

    def _reports(self, fields: Fields, folder: str) -> dict[ReportKind, str]:
        reports = fields.fields("reports")
        if reports is None:
            return {}
        reports.only(*ReportKind)
        found = {kind: self._path(reports, kind.value, "") for kind in ReportKind}
        for kind, path in found.items():
            if path and self._escapes(f"{folder}/{path}"):
                reports.wrong(kind.value, f"{path!r} leads out of the repository")
        return {kind: path for kind, path in found.items() if path}

    def _image(self, fields: Fields) -> ImagePlan:
        fields.only("name", "dockerfile", "context", "tag")
        name = fields.text("name", is_needed=True)
        if name and not manifests.is_repository(name):
            fields.wrong(
                "name", f"{name!r} is no image name: lower-case letters, digits, '.', '_', '-', parts between '/'"
            )
        pattern = fields.text("tag") or "{version}-{short_sha}"
        for placeholder in _PLACEHOLDER.findall(pattern):
            if placeholder not in _PLACEHOLDERS:
                known = ", ".join(f"{{{one}}}" for one in _PLACEHOLDERS)
                fields.wrong("tag", f"{{{placeholder}}} is unknown; there are {known}")
        return ImagePlan(
            name=name,
            dockerfile=self._path(fields, "dockerfile", "Dockerfile"),
            context=self._path(fields, "context", "."),
            tag=pattern,
        )

    def _path(self, fields: Fields, key: str, default: str) -> str:
        """A path relative to the service's folder that stays in the repository."""
        path = fields.text(key) or default
        if path.startswith("/") or self._escapes(path):
            fields.wrong(key, f"{path!r} leads out of the repository; give a path relative to the service's folder")
        return path

    def _repository_path(self, fields: Fields, key: str, path: str) -> str:
        if path.startswith("/") or _depth(PurePosixPath(path)) is None:
            fields.wrong(key, f"{path!r} leads out of the repository; give a folder relative to its root")
        return path

    def _escapes(self, path: str) -> bool:
        return _depth(PurePosixPath(self._folder) / path) is None


def _depth(path: PurePosixPath) -> int | None:
    """How deep below the repository's root the path is; None: it leads out."""
    depth = 0
    for part in path.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return None
    return depth
