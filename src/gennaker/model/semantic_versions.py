"""Semantic versions: which of several is the newest (semver.org, 11), also where some are none."""

import re
from collections.abc import Iterable

_PARTS = re.compile(r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?\Z")
_Number = tuple[int, str]
"""Its length and digits, which sort as it does, however long it is."""
Precedence = tuple[bool, tuple[_Number, ...], bool, tuple[tuple[bool, _Number, str], ...]]


def precedence(version: str) -> Precedence:
    """What sorts as versions do, the newest last; what is no version comes first. A `v` before it and missing parts are let pass."""
    found = _PARTS.match(version)
    if found is None:
        return (False, (), False, ())
    numbers = tuple(_number(one or "") for one in found.groups()[:3])
    before = found[4] or ""
    parts = tuple((not one.isdigit(), _number(one if one.isdigit() else ""), one) for one in before.split(".") if one)
    return (True, numbers, not before, parts)


def newest_first(versions: Iterable[str]) -> tuple[str, ...]:
    """Each once; what is no version comes last."""
    return tuple(sorted(sorted(set(versions)), key=precedence, reverse=True))


def _number(digits: str) -> _Number:
    significant = digits.lstrip("0")
    return len(significant), significant
