"""JSON pointers (RFC 6901): where in a document something is."""

from collections.abc import Iterable

from gennaker.model import foreign
from gennaker.model.codec import Json


def of(steps: Iterable[str | int]) -> str:
    """The pointer to what is found by these keys and places."""
    return "".join(f"/{escaped(str(step))}" for step in steps)


def escaped(key: str) -> str:
    """A key as one step of a pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def find(document: Json, pointer: str) -> tuple[bool, Json]:
    """Whether the document has something there, and what."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and key in document:
            document = document[key]
        elif isinstance(document, list) and (place := foreign.natural(key)) is not None and place < len(document):
            document = document[place]
        else:
            return False, None
    return True, document
