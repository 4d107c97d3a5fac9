"""Preconditions: entity tags of what is stored, and changes that hold only for what their sender has seen (decision 35; RFC 9110, 13)."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
from litestar import Response
from litestar.di import NamedDependency, Provide
from litestar.params import HeaderParameter

from gennaker.interfaces.definitions import Definition, Definitions
from gennaker.model.codec import Json, JsonObject, encode_sorted
from gennaker.model.problems import Problem, Refused
from gennaker.web import revisions
from gennaker.web.ports import Asking

_TAG = re.compile(r'(?:W/)?"[^"]*"|\*')
_LONGEST = 1_000
_MOST_REVISIONS = 200
_MOST_CHANGES = 50
_CHANGED = frozenset({"definition.changed", "import.changed", "identity.changed", "identity.taken", "secret.changed"})
"""What the store says where something was changed between our look and our write."""
IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description="The tag that it must still have; 412 otherwise", max_length=_LONGEST),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        description="Reading: the tag that is known already, answered with 304; changing: `*`, there must be none yet",
        max_length=_LONGEST,
    ),
]


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about the state that it is meant for."""

    if_match: str | None = None
    if_none_match: str | None = None

    def refuse(self, present: str | None, problem: Problem) -> None:
        """Raises Refused (412) with the problem unless the present tag is a wanted one; None: there is nothing."""
        if not self.hold(present):
            raise Refused(problem, status=412)

    def hold(self, present: str | None) -> bool:
        """Whether a change may be made of what has this tag now; None: there is nothing."""
        if self.if_match is not None and not _names(self.if_match, present):
            return False
        return self.if_none_match is None or not _names(self.if_none_match, present)

    def answer(self, shape: JsonObject, tag: str) -> Response[JsonObject]:
        """Of reading: the thing with its tag, or 304 where the sender has it already."""
        headers = {"etag": tag, "cache-control": "no-cache"}
        if self.if_none_match is not None and _names(self.if_none_match.replace("W/", ""), tag):
            return Response(None, status_code=304, headers=headers)  # type: ignore[arg-type]  # a 304 has no body
        return Response(shape, headers=headers)

    async def refuse_definition(self, definitions: Definitions, kind: str, definition_id: str) -> None:
        """Raises Refused (412), with what was changed since by whom."""
        if self.if_match is None and self.if_none_match is None:
            return
        found = await definitions.history(kind, definition_id, _MOST_REVISIONS)
        present = None if not found or found[0].is_deleted else of_revision(found[0])
        if not self.hold(present):
            raise Refused(_of_definition(kind, definition_id, found, self.if_match), status=412)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around a write: what the store refuses because of a change in between is 412 for who has set a condition."""
        try:
            yield
        except Refused as error:
            is_conditional = self.if_match is not None or self.if_none_match is not None
            if is_conditional and error.problems[0].code in _CHANGED:
                raise Refused(*error.problems, status=412) from error
            raise


NO_CONDITIONS = Conditions()


async def _given(principal: Asking, if_match: IfMatch = None, if_none_match: IfNoneMatch = None) -> Conditions:
    del principal  # asked for so that one comes after the other: side by side each would be a task of its own
    return Conditions(if_match=if_match, if_none_match=if_none_match)


CONDITIONS = {"conditions": Provide(_given)}
"""For the `dependencies` of a handler that has the parameter `conditions`."""
Given = NamedDependency[Conditions]


def of_revision(one: Definition) -> str:
    """A definition's tag."""
    return f'"{one.revision}"'


def of_content(content: Json) -> str:
    """The tag of what is kept without revisions: the same for the same content."""
    return f'"{hashlib.sha256(encode_sorted(content)).hexdigest()[:32]}"'


def tagged(shape: JsonObject, tag: str, *, status: int = 200) -> Response[JsonObject]:
    """The answer to a change: what there is now, with its tag."""
    return Response(shape, status_code=status, headers={"etag": tag})


def changed(what: str, present: Json) -> Problem:
    """Of something that has no revisions: what there is now."""
    if present is None:
        return Problem(
            code="precondition.failed",
            message=f"There is no {what}; nothing was done.",
            remedy="Send it without If-Match to make it.",
        )
    return Problem(
        code="precondition.failed",
        message=f"The {what} isn't as the request supposes; nothing was done.",
        remedy="`details.present` says what there is now: repeat the change with its tag.",
        details={"present": present},
    )


def _names(header: str, tag: str | None) -> bool:
    """Whether the header names the tag of what there is; weak tags name nothing for sure."""
    listed = _TAG.findall(header)
    return tag is not None and ("*" in listed or tag in listed)


def _of_definition(kind: str, definition_id: str, found: tuple[Definition, ...], if_match: str | None) -> Problem:
    if not found or found[0].is_deleted:
        gone = f"; {found[0].author} has deleted it" if found else ""
        return Problem(
            code="precondition.failed",
            message=f"There is no {kind} {definition_id[:200]!r}{gone}. Nothing was done.",
            remedy="Send it without If-Match to make it.",
        )
    newest = found[0]
    known = next((one for one in found if if_match is not None and _names(if_match, of_revision(one))), None)
    since = [one for one in found if known is not None and one.revision > known.revision]
    details: JsonObject = {"present": revisions.facts(newest)}
    if known is not None:
        changes = revisions.changes(known, newest)
        details |= {
            "revisions": [revisions.facts(one) for one in since[:_MOST_CHANGES]],
            "changes": changes[:_MOST_CHANGES],
            "changesLeftOut": max(0, len(changes) - _MOST_CHANGES),
        }
    return Problem(
        code="precondition.failed",
        message=(
            f"The {kind} {definition_id} is at revision {newest.revision}, saved by {newest.author} at"
            f" {newest.at:%Y-%m-%d %H:%M:%S} UTC. Nothing was done."
        ),
        remedy="`details` says what was changed since: load it again and repeat the change.",
        details=details,
    )
