"""What can go wrong with a pattern."""


class PatternError(Exception):
    """It isn't valid, or could cost too much; the message is a sentence."""

    def __init__(self, message: str, *, is_limit: bool = False) -> None:
        """`is_limit`: the pattern is valid, but not run."""
        super().__init__(message)
        self.message = message
        self.is_limit = is_limit
