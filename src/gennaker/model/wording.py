"""Wording: numbers in sentences for people."""


def counted(count: int, noun: str) -> str:
    """`1 instance`, `2 instances`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def are(count: int) -> str:
    """The verb after so many."""
    return "is" if count == 1 else "are"
