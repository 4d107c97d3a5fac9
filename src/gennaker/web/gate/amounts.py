"""Amounts: how many of a list somebody wants. Gate takes any number, so a larger one than is given is no error, and gets the most."""

from typing import Annotated, Final

from litestar.params import QueryParameter

Amount = Annotated[int, QueryParameter(ge=1)]
EXECUTIONS: Final = 200
"""The most executions of a pipeline, or in a list, and the most tasks."""
REVISIONS: Final = 500
RESULTS: Final = 1000
"""The most images, names or versions of artifacts, or results of a search."""
FAILED_STAGES: Final = 100
IS_CUT: Final = {"x-gennaker-cut": "true"}
"""The header of an answer that isn't all there is."""
