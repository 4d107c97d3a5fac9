"""Patterns of triggers: Java regular expressions."""

from gennaker.patterns import java
from gennaker.patterns.errors import PatternError


def is_full_match(pattern: str, text: str) -> bool:
    """Whether the whole text matches; a pattern that can't be used matches nothing (whoever saves a pipeline is told)."""
    try:
        return java.compiled(pattern).fits(text)
    except PatternError:
        return False


def is_found(pattern: str, text: str) -> bool:
    """Whether some part of the text matches; a pattern that can't be used is found nowhere."""
    try:
        return next(java.compiled(pattern).finds(text), None) is not None
    except PatternError:
        return False
