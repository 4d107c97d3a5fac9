"""Problems: expected failures as values, with a stable code and a sentence for the person who reads it."""

import msgspec

from gennaker.model.codec import JsonObject


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, said so that a person can act on it."""

    code: str
    """Stable and dotted, e.g. `stage.unknown_type`; never renamed."""
    message: str
    """A sentence that says what is wrong."""
    remedy: str = ""
    """A sentence that says what to do; empty where the message already says it."""
    pointer: str = ""
    """JSON pointer (RFC 6901) of the offending value in the document that was given; empty: the whole."""
    details: JsonObject = {}
    """Facts for programs: names, codes, the tail of a log."""

    def __str__(self) -> str:
        """The sentences together, as a terminal shows them."""
        where = f" (at {self.pointer})" if self.pointer else ""
        return f"{self.message}{where} {self.remedy}".strip()


def log_of(details: JsonObject) -> str:
    """What was written last by what has failed: `tail`, beside which `log` says where the whole is, else `log`."""
    found = details.get("tail", details.get("log"))
    return found if isinstance(found, str) else ""


UNAVAILABLE = 503
"""The status of what can't be asked now, and may be soon."""


class Refused(Exception):
    """A request that can't be fulfilled, with everything that is wrong with it.

    Raised by ports whose callers are people or their programs; web and cli turn it into an answer.
    """

    def __init__(self, *problems: Problem, status: int = 400) -> None:
        """Status is the HTTP status that suits: 400, 401, 403, 404, 409, 422, 501; `UNAVAILABLE`: asking again may help."""
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems
        self.status = status
        self.is_recorded = False
        """Whether whoever refused it has put that into the audit trail, with more than those know who answer."""

    @property
    def is_unavailable(self) -> bool:
        """Nobody has said no: who was to be asked doesn't answer now. Tasks outlast that (`interfaces.outlasting`)."""
        return self.status == UNAVAILABLE
