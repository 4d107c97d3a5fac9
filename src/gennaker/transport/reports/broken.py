"""The only exception of reading reports."""


class BrokenReport(Exception):
    """A report can't be read; the text says why, as the rest of a sentence about the report."""
