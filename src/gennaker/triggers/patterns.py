"""Patterns of triggers: Java regular expressions, matched whole."""

import re


def is_full_match(pattern: str, text: str) -> bool:
    """Whether the whole text matches; an invalid pattern matches nothing (it is refused when a pipeline is saved)."""
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:
        return False
