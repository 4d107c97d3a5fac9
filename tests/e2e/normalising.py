"""Normalising: what must be the same in two runs of one story, however often the server was killed in one of them.

Removed are ids, times, ports and attempt counts, and the story's own folder; nothing else. An id is not just blanked: every id
becomes the number of its first appearance, so that two places that named the same thing still do, and two that didn't still don't.

Two differences beyond these are allowed (docs/guarantees.md), each by a function of its own that says what it takes away:
`with_known_outcomes` in every killed run, `without_counts_of_samples` only where the server was killed while a canary was
being measured.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from gennaker.model.codec import Json, JsonObject

_ULID = r"(?<![0-9A-Za-z])[0-9A-HJKMNP-TV-Z]{26}(?![0-9A-Za-z])"
_UUID = r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
_JOB = r"\bjob-[0-9a-f]{20}\b"
_DIGEST = r"\b(?:sha256:)?[0-9a-f]{64}\b"
"""Of reports, which hold times; a canary's is an id as well, and stands alone then.

Images are compared with theirs where they are, in the registry."""
_ID = re.compile(f"{_UUID}|{_ULID}|{_JOB}|{_DIGEST}")
_INSTANT = re.compile(r"\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_CLOCK = re.compile(r"\b\d\d:\d\d:\d\d\b")
_PORT = re.compile(r"\b(127\.0\.0\.1|localhost):\d+\b")
_SECONDS = re.compile(r"\b\d+(\.\d+)? (ms|s|seconds)\b")
_EPOCH = range(1_500_000_000_000, 4_000_000_000_000)
"""Instants as integer milliseconds; a thousand times that are microseconds."""
_TIMES = frozenset({"seconds", "duration", "elapsed", "at", "due", "movedSeconds"})
_ATTEMPTS = frozenset({"attempt", "attempts", "tries", "repeat", "isRepeat", "version"})
"""`version` of an execution's head counts its steps, and a repeat is a step; versions that are text are kept."""
_ATTEMPT_IN_KEY = re.compile(
    r"(?<=/)\d+\.\d+(\.\d+)?(/\d+)?(?=/|$)"  # attempt of stage and task, then the poll
    r"|(?<=/ended/)\d+|(?<=/deadline/)\d+|(?<=/prepare/)\d+(/\d+)?"
    r"|(?<=/notify/)(?P<moment>[\w.]+)/[\d.]+(?=/)"  # the execution's version, or the stage's attempt
)
"""Counts within keys of effects; engine/keys.py says what they are made of."""
_PORT_KEYS = frozenset({"port", "pid"})
_MEASURED = frozenset({"baselineCount", "canaryCount", "samplesLost"})
_WORDS_OF_A_METRIC = frozenset({"reason", "rule", "sentence"})
_SAMPLES_LOST = "Samples were lost, perhaps because the server restarted:"


class Normaliser:
    """One run's values; ids are numbered as they come, so values must be given in the same order in both runs."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where the run kept its files."""
        self._folder = str(folder)
        self._ids: dict[str, str] = {}

    def value(self, value: Json) -> Json:
        """The value without ids, times, ports and attempt counts."""
        match value:
            case str():
                return self._text(value)
            case bool() | None:
                return value
            case int() | float():
                return "<time>" if _is_epoch(value) else value
            case list():
                return [self.value(item) for item in value]
            case dict():
                return self._mapping(value)

    def _mapping(self, value: JsonObject) -> JsonObject:
        found: JsonObject = {}
        for key, item in value.items():
            if _is_left_out(key, item):
                continue
            found[self._text(key)] = self.value(item)
        return found

    def _text(self, text: str) -> str:
        text = text.replace(self._folder, "<folder>")
        text = _ID.sub(lambda found: self._numbered(found[0]), text)
        text = _ATTEMPT_IN_KEY.sub(
            lambda found: f"{found['moment']}/<attempt>" if found["moment"] else "<attempt>", text
        )
        text = _INSTANT.sub("<time>", text)
        text = _CLOCK.sub("<time>", text)
        text = _SECONDS.sub("<time>", text)
        return _PORT.sub(r"\1:<port>", text)

    def _numbered(self, found: str) -> str:
        return self._ids.setdefault(found.removeprefix("sha256:"), f"<id {len(self._ids) + 1}>")


def with_known_outcomes(value: Json) -> Json:
    """A result in which the outcome `unknown` of a notification reads `done`, and nothing else is changed.

    Of a notification that was cut off twice nobody knows whether it arrived, and it isn't sent a third time.
    """
    match value:
        case list():
            return [with_known_outcomes(item) for item in value]
        case dict():
            is_of_notification = value.get("action") == "notification.sent"
            found: JsonObject = {key: with_known_outcomes(item) for key, item in value.items()}
            details = found.get("details")
            if is_of_notification and isinstance(details, dict) and details.get("outcome") == "unknown":
                found["details"] = {**details, "outcome": "done"}
            return found
        case _:
            return value


def without_counts_of_samples(value: Json) -> Json:
    """A result without `baselineCount`, `canaryCount`, `samplesLost`, the warning that says the same, and a verdict's words.

    The embedded metrics are observed second by second by the server itself: what nobody has looked at while it was down
    can't be observed afterwards, so a killed run has other counts, and says that samples were lost. The words go with the
    counts: of sides that hold one constant three samples and three are identical, three and four are not. Everything that
    follows from them (classifications, means, bounds, scores, whether the canary passed, what was done then) stays and
    must be the same.
    """
    match value:
        case list():
            return [without_counts_of_samples(item) for item in value if not str(item).startswith(_SAMPLES_LOST)]
        case dict():
            left_out = _MEASURED | _WORDS_OF_A_METRIC if "classification" in value else _MEASURED
            return {key: without_counts_of_samples(item) for key, item in value.items() if key not in left_out}
        case _:
            return value


def has_lost_samples(value: Json) -> bool:
    """A canary of the result says so."""
    match value:
        case list():
            return any(has_lost_samples(item) for item in value)
        case dict():
            return bool(value.get("samplesLost")) or any(has_lost_samples(item) for item in value.values())
        case _:
            return False


def in_order(values: Iterable[Json]) -> list[Json]:
    """Values whose order is chance (what ran side by side), in one that isn't."""
    return sorted(values, key=repr)


def _is_left_out(key: str, item: Json) -> bool:
    if key in _ATTEMPTS:
        return not isinstance(item, str)
    if key in _TIMES or key in _PORT_KEYS or key.endswith(("Time", "At", "Seconds", "_at", "_time")):
        return item is None or isinstance(item, bool | int | float) or bool(_INSTANT.fullmatch(str(item)))
    return False


def _is_epoch(value: float) -> bool:
    whole = int(value)
    return whole in _EPOCH or whole // 1000 in _EPOCH
