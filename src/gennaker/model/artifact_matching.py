"""Artifact matching: whether an artifact is the expected one, and which artifact is bound to which expectation.

Used by triggers (does this event carry what the pipeline waits for?) and by the engine (what does this run work on?).
Rules of Spinnaker: only type, name, version, location and reference are compared; an expectation is text that must be
equal or a regular expression, Java's, that matches the whole.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from gennaker.model import records
from gennaker.model.artifact import Artifact, ExpectedArtifact
from gennaker.model.codec import JsonObject
from gennaker.model.foreign import written
from gennaker.model.problems import Problem
from gennaker.patterns import java
from gennaker.patterns.errors import PatternError

_KEYS = frozenset(field.encode_name for field in msgspec.structs.fields(Artifact)) - {"metadata"}
_TEXTS = _KEYS - {"customKind"}
"""As Jackson does, a number in one of them is taken for its text."""
_COMPARED = ("name", "version", "location", "reference")
_INLINE = frozenset({"embedded/base64", "remote/base64"})
"""The same thing stored in two places."""


class InvalidPattern(Exception):
    """An expectation isn't equal to what it is compared with and isn't a regular expression either."""

    def __init__(self, pattern: str, reason: str) -> None:
        """Keeps the facts."""
        super().__init__(f"{pattern!r} is no regular expression that can be used: {reason}")
        self.pattern = pattern
        self.reason = reason


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What came of binding artifacts to expectations."""

    artifacts: tuple[Artifact, ...] = ()
    """The bound ones, each once, in the order of the expectations."""
    expected: tuple[ExpectedArtifact, ...] = ()
    """The expectations with `bound_artifact`."""
    problems: tuple[Problem, ...] = ()
    """Not empty: some expectation could not be met; the others are bound nevertheless."""


def read(raw: JsonObject) -> Artifact:
    """An artifact from its JSON: unknown keys become metadata, `kind` is discarded. Raises msgspec.ValidationError."""
    given = raw.get("metadata")
    metadata: JsonObject = dict(given) if isinstance(given, dict) else {}
    known: JsonObject = {}
    for key, value in raw.items():
        if key in _KEYS:
            if value is not None:
                known[key] = written(value) if key in _TEXTS and isinstance(value, int | float) else value
        elif key not in ("metadata", "kind"):
            metadata[key] = value
    return records.converted({**known, "metadata": metadata}, Artifact)


def read_expected(raw: JsonObject) -> ExpectedArtifact:
    """An expected artifact from its JSON; the artifacts in it are read by `read`. Raises msgspec.ValidationError."""
    plain = {key: value for key, value in raw.items() if value is not None and not key.endswith("Artifact")}
    flags = {key: raw[key] for key in ("usePriorArtifact", "useDefaultArtifact") if raw.get(key) is not None}
    expected = records.converted({**plain, **flags}, ExpectedArtifact)
    match, default, bound = (raw.get(key) for key in ("matchArtifact", "defaultArtifact", "boundArtifact"))
    return replace(
        expected,
        match_artifact=read(match) if isinstance(match, dict) else Artifact(),
        default_artifact=read(default) if isinstance(default, dict) else None,
        bound_artifact=read(bound) if isinstance(bound, dict) else None,
    )


def matches(expected: Artifact, artifact: Artifact) -> bool:
    """Whether an artifact fits what is expected. Raises InvalidPattern."""
    if not _type_fits(expected.type, artifact.type):
        return False
    return all(_fits(getattr(expected, field), getattr(artifact, field)) for field in _COMPARED)


def resolve(
    expected: Sequence[ExpectedArtifact],
    current: Sequence[Artifact],
    *,
    prior: Sequence[Artifact] = (),
    requires_unique: bool = True,
) -> Resolution:
    """Binds an artifact to each expectation: a current one, else one of the prior run, else the default.

    Prior and default count only where the expectation allows them. With `requires_unique` two that fit are a problem.
    """
    bound: list[ExpectedArtifact] = []
    problems: list[Problem] = []
    for place, one in enumerate(expected):
        try:
            found = _find(one, current, prior, requires_unique=requires_unique)
        except InvalidPattern as invalid:
            found = Problem(code="artifact.invalid_pattern", message=f"{_named(one)}: {invalid}.")
        if isinstance(found, Problem):
            problems.append(replace(found, pointer=f"/expectedArtifacts/{place}"))
        else:
            bound.append(replace(one, bound_artifact=found))
    artifacts: list[Artifact] = []
    for one in bound:
        if one.bound_artifact is not None and one.bound_artifact not in artifacts:
            artifacts.append(one.bound_artifact)
    return Resolution(artifacts=tuple(artifacts), expected=tuple(bound), problems=tuple(problems))


def _find(
    expected: ExpectedArtifact,
    current: Sequence[Artifact],
    prior: Sequence[Artifact],
    *,
    requires_unique: bool,
) -> Artifact | Problem:
    for source in (current, prior if expected.use_prior_artifact else ()):
        fitting = [one for one in source if matches(expected.match_artifact, one)]
        if len(fitting) > 1 and requires_unique:
            return Problem(
                code="artifact.ambiguous",
                message=f"Expected artifact {_named(expected)} matches multiple artifacts.",
                remedy="Make its conditions narrower, so that only one fits.",
            )
        if fitting:
            return fitting[0]
    if expected.use_default_artifact and expected.default_artifact is not None:
        return expected.default_artifact
    return Problem(
        code="artifact.unmatched",
        message=f"Unmatched expected artifact {_named(expected)} could not be resolved.",
        remedy="Start the run with an artifact that fits, or give the expected artifact a default.",
    )


def _named(expected: ExpectedArtifact) -> str:
    wanted = expected.match_artifact
    described = [f"{field} {value}" for field in ("type", *_COMPARED) if (value := getattr(wanted, field))]
    return expected.display_name or expected.id or ", ".join(described) or "(any)"


def _type_fits(expected: str | None, actual: str | None) -> bool:
    if expected in _INLINE and actual in _INLINE:
        return True
    return _fits(expected, actual)


def _fits(expected: str | None, actual: str | None) -> bool:
    if not expected:
        return True
    if actual is None:
        return False
    if expected == actual:
        return True
    try:
        return java.compiled(expected).fits(actual)
    except PatternError as error:
        raise InvalidPattern(expected, error.message) from error
