"""Documents that commands read: JSON or YAML from a file, with the place of every value in it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import yaml

from gennaker.model import depth, json_text, plain_yaml, pointers
from gennaker.model.codec import Json, JsonObject, decode_json, why_not_json
from gennaker.model.json_text import Place
from gennaker.model.problems import Problem, Refused

_YAML = (".yaml", ".yml")


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds."""

    file: Path
    value: Json
    places: dict[str, Place]
    """By JSON pointer."""

    def at(self, pointer: str) -> Place:
        """Where it is, or would be."""
        return json_text.nearest(self.places, pointer)


def read(file: Path) -> Document:
    """Reads a file; YAML where its name says so. Raises Refused with the place in the problem's details."""
    found = content(file)
    return _of_yaml(file, found) if file.suffix in _YAML else _of_json(file, found)


def content(file: Path) -> bytes:
    """All of a file. Raises Refused."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise Refused(
            Problem(
                code="file.unreadable",
                message=f"{file} can't be read: {error.strerror}.",
                remedy="Name a readable file.",
            )
        ) from error


def write(file: Path, content: bytes) -> None:
    """Replaces a file. Raises Refused."""
    try:
        file.write_bytes(content)
    except OSError as error:
        raise Refused(
            Problem(
                code="file.unwritable", message=f"{file} can't be written: {error.strerror}.", remedy="Name another."
            )
        ) from error


def is_file(named: str) -> bool:
    """Whether what may be an id as well names a file; of a text that is longer than any name, too."""
    try:
        return Path(named).is_file()
    except OSError:
        return False


def pipeline(file: Path) -> JsonObject:
    """The pipeline that a file holds. Raises Refused."""
    found = read(file).value
    if not isinstance(found, dict):
        raise Refused(
            Problem(code="file.not_pipeline", message=f"{file} holds no JSON object.", remedy="Give a pipeline.")
        )
    return found


def _of_json(file: Path, content: bytes) -> Document:
    try:
        value = decode_json(content)
    except msgspec.DecodeError as error:
        place = json_text.end_of_json(content)
        raise Refused(_unreadable(file, "JSON", place, why_not_json(error, content))) from error
    except RecursionError as error:
        raise Refused(_too_deep(file)) from error
    if depth.is_too_deep(value):
        raise Refused(_too_deep(file))
    return Document(file=file, value=value, places=json_text.places(content.decode()))


def _of_yaml(file: Path, content: bytes) -> Document:
    try:
        value = plain_yaml.read(content)
    except plain_yaml.NotPlain as error:
        raise Refused(_unreadable(file, "YAML", Place(error.line, error.column), str(error))) from error
    node = yaml.compose(content, Loader=yaml.SafeLoader)
    return Document(file=file, value=value, places=dict(_nodes(node, "")) if node is not None else {})


def _nodes(node: yaml.Node, pointer: str) -> Iterator[tuple[str, Place]]:
    yield pointer, Place(node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        for key, inner in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield from _nodes(inner, f"{pointer}/{pointers.escaped(key.value)}")
    elif isinstance(node, yaml.SequenceNode):
        for place, inner in enumerate(node.value):
            yield from _nodes(inner, f"{pointer}/{place}")


def _unreadable(file: Path, kind: str, place: Place, why: str) -> Problem:
    return Problem(
        code=f"file.not_{kind.lower()}",
        message=f"{file} is not {kind}: {why}.",
        remedy="Correct it there.",
        details={"line": place.line, "column": place.column, "why": why},
    )


def _too_deep(file: Path) -> Problem:
    return Problem(
        code="file.too_deep", message=f"{file} is nested too deeply.", remedy="Give a document that is flatter."
    )
