"""Patterns of triggers: Java regular expressions, matched whole."""

from gennaker.expressions import regex
from gennaker.expressions.failures import ExpressionError


def is_full_match(pattern: str, text: str) -> bool:
    """Whether the whole text matches; a pattern that can't be used matches nothing (whoever saves a pipeline is told)."""
    try:
        return regex.compiled(pattern).fits(text)
    except ExpressionError:
        return False
