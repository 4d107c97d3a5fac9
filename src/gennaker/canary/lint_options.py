"""Lint of a metric's options: unknown keys and words, wrong types, numbers that can't be meant."""

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeAlias

from gennaker.canary import coercion
from gennaker.canary.coercion import Unreadable
from gennaker.canary.config import Direction, Measure, NanStrategy, OutlierStrategy
from gennaker.canary.findings import Finding, error, note, warning
from gennaker.model import foreign, pointers
from gennaker.model.codec import Json

Path: TypeAlias = tuple[str, ...]

_WORDS: Mapping[Path, Collection[str]] = {
    ("direction",): tuple(Direction),
    ("nanStrategy",): tuple(NanStrategy),
    ("outliers", "strategy"): tuple(OutlierStrategy),
    ("effectSize", "measure"): tuple(Measure),
}
_SWITCHES: Collection[Path] = (("critical",), ("mustHaveData",), ("muted",))
_THRESHOLDS = ("allowedIncrease", "allowedDecrease", "criticalIncrease", "criticalDecrease")
_NUMBERS: Collection[Path] = (("outliers", "outlierFactor"), *(("effectSize", name) for name in _THRESHOLDS))
_PATHS: Collection[Path] = (*_WORDS, *_SWITCHES, *_NUMBERS)


def lint_options(options: Mapping[str, Json], pointer: str) -> Iterator[Finding]:
    """All findings in one `analysisConfigurations.canary`."""
    yield from _shapes(options, pointer)
    for path, known in _WORDS.items():
        yield from _word(options, path, known, pointer)
    for path in _SWITCHES:
        yield from _typed(options, path, pointer, "true or false", _switch)
    for path in _NUMBERS:
        yield from _typed(options, path, pointer, "a number", _number)
    yield from _outlier_factor(options, pointer)
    yield from _effect_thresholds(options, pointer)
    yield from _contradictions(options, pointer)


def unknown_keys(found: Mapping[str, Json], known: Collection[str], pointer: str) -> Iterator[Finding]:
    """A warning for each key that nothing reads, with the key that may have been meant."""
    for key in found:
        if key in known:
            continue
        close = difflib.get_close_matches(key, known, n=1)
        remedy = f"Did you mean '{close[0]}'?" if close else "Remove it."
        yield warning(f"{pointer}/{pointers.escaped(key)}", "unknown_key", f"Nothing reads '{key}'.", remedy)


def _shapes(options: Mapping[str, Json], pointer: str) -> Iterator[Finding]:
    yield from unknown_keys(options, {path[0] for path in _PATHS}, pointer)
    for section in ("outliers", "effectSize"):
        value = options.get(section)
        if isinstance(value, Mapping):
            yield from unknown_keys(value, {path[1] for path in _PATHS if path[0] == section}, f"{pointer}/{section}")
        elif isinstance(value, list):
            yield error(f"{pointer}/{section}", "option_type", f"'{section}' is a list.", "Give an object.")
        elif value is not None:
            found = foreign.described(value)
            yield warning(
                f"{pointer}/{section}",
                "option_type",
                f"'{section}' is {found}: all its defaults apply.",
                "Give an object.",
            )


def _word(options: Mapping[str, Json], path: Path, known: Collection[str], pointer: str) -> Iterator[Finding]:
    where = _place(pointer, path)
    try:
        word = coercion.option_text(dict(options), *path, default="")
    except Unreadable:
        yield error(where, "option_type", f"'{path[-1]}' is null, which ends the judgement.", "Leave it out.")
        return
    present, _ = coercion.option(dict(options), *path)
    if not present or word in known:
        return
    close = difflib.get_close_matches(word.lower(), {each.lower(): each for each in known}, n=1)
    meant = next((each for each in known if close and each.lower() == close[0]), None)
    remedy = f"Did you mean '{meant}'?" if meant else f"Use one of {', '.join(known)}."
    message = f"'{path[-1]}' is '{word}', which is unknown, so the default applies."
    yield warning(where, "unknown_option", message, remedy)


def _typed(
    options: Mapping[str, Json],
    path: Path,
    pointer: str,
    wanted: str,
    reading: Callable[[Mapping[str, Json], Path], object],
) -> Iterator[Finding]:
    where = _place(pointer, path)
    try:
        reading(options, path)
    except Unreadable as unreadable:
        message = f"'{path[-1]}' must be {wanted}, not {unreadable}; the whole judgement would end there."
        yield error(where, "option_type", message, f"Give {wanted}.")
        return
    present, value = coercion.option(dict(options), *path)
    if present and value is None:
        taken = "false" if wanted == "true or false" else "0, not the default"
        yield warning(where, "null_option", f"'{path[-1]}' is null, which means {taken}.", "Leave it out.")


def _switch(options: Mapping[str, Json], path: Path) -> bool:
    return coercion.option_boolean(dict(options), *path, default=False)


def _number(options: Mapping[str, Json], path: Path) -> float:
    return coercion.option_number(dict(options), *path, default=1.0)


def _outlier_factor(options: Mapping[str, Json], pointer: str) -> Iterator[Finding]:
    path = ("outliers", "outlierFactor")
    factor = _readable_number(options, path)
    if factor is None:
        return
    if _value(options, ("outliers", "strategy")) != OutlierStrategy.REMOVE:
        yield note(_place(pointer, path), "no_effect", "'outlierFactor' has no effect while outliers are kept.")
    elif not factor > 0:
        message = f"'outlierFactor' is {factor:g}; the judgement would end there."
        yield error(_place(pointer, path), "outlier_factor", message, "Give a number above 0, e.g. 3.0.")


def _effect_thresholds(options: Mapping[str, Json], pointer: str) -> Iterator[Finding]:
    cles = _value(options, ("effectSize", "measure")) == Measure.CLES
    neutral = 0.5 if cles else 1.0
    for name in _THRESHOLDS:
        path = ("effectSize", name)
        threshold = _readable_number(options, path)
        if threshold is None:
            continue
        upward = name.endswith("Increase")
        if cles and not 0 <= threshold <= 1:
            message = f"'{name}' is {threshold:g}, but the effect size cles lies between 0 and 1."
            yield warning(_place(pointer, path), "threshold_range", message, "Give a number from 0 to 1.")
        elif threshold < neutral if upward else threshold > neutral:
            side = "below" if upward else "above"
            message = (
                f"'{name}' is {threshold:g}, {side} {neutral:g} (no change), so it allows everything it is asked about."
            )
            yield warning(
                _place(pointer, path), "threshold_range", message, _direction_hint(upward=upward, neutral=neutral)
            )


def _direction_hint(*, upward: bool, neutral: float) -> str:
    return f"Give a ratio of {neutral:g} or {'more' if upward else 'less'}: experiment compared with control."


def _contradictions(options: Mapping[str, Json], pointer: str) -> Iterator[Finding]:
    critical = _value(options, ("critical",)) is True
    for name in ("criticalIncrease", "criticalDecrease"):
        if not critical and _readable_number(options, ("effectSize", name)) is not None:
            where = _place(pointer, ("effectSize", name))
            yield note(where, "no_effect", f"'{name}' has no effect unless 'critical' is true.")
    if critical and _value(options, ("mustHaveData",)) is True:
        message = "'mustHaveData' has no effect on a critical metric, whose missing data fail the canary anyway."
        yield note(f"{pointer}/mustHaveData", "no_effect", message)
    if critical and _value(options, ("muted",)) is True:
        yield warning(
            f"{pointer}/critical", "muted_critical", "A muted metric is never critical.", "Remove one of both."
        )


def _readable_number(options: Mapping[str, Json], path: Path) -> float | None:
    value = _value(options, path)
    return (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63 else None
    )


def _value(options: Mapping[str, Json], path: Path) -> Json:
    value: Json = dict(options)
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _place(pointer: str, path: Path) -> str:
    return "/".join((pointer, *map(pointers.escaped, path)))
