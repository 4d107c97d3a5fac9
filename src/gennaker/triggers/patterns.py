"""Patterns of triggers: Java regular expressions."""

from gennaker.patterns import java
from gennaker.patterns.errors import PatternError


def is_full_match(pattern: str, text: str) -> bool:
    """Whether the whole text matches; a pattern that isn't valid matches nothing (whoever saves a pipeline is told).

    Raises PatternError where it would cost too much to find out.
    """
    try:
        return java.compiled(pattern).fits(text)
    except PatternError as error:
        if error.is_limit:
            raise
        return False


def is_found(pattern: str, text: str) -> bool:
    """Whether some part of the text matches, as `is_full_match`."""
    try:
        return next(java.compiled(pattern).finds(text), None) is not None
    except PatternError as error:
        if error.is_limit:
            raise
        return False
