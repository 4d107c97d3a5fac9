"""Files and logs of builds: property files in Igor's three formats, files within ZIP artifacts, properties in logs."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

import msgspec

from gennaker.interfaces.ci import UnreadableProperties
from gennaker.model import plain_yaml
from gennaker.model.codec import Json, JsonObject, decode_json

LOG_LIMIT = 1_000_000
"""Of a log only the end is taken: characters."""
_FILE_LIMIT_BYTES = 5_000_000
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_KEY_END = re.compile(r"(?<!\\)(?:\\\\)*([=:\s])")
_PROPERTY = "SPINNAKER_PROPERTY_"
_CONFIG = "SPINNAKER_CONFIG_JSON="


def parse(name: str, content: bytes) -> JsonObject:
    """A property file by its ending: YAML, JSON, else Java's properties. Raises UnreadableProperties."""
    text = content.decode(errors="replace")
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in {".yml", ".yaml", ".json"}:
        return dict(_java_properties(text))
    try:
        found: Json = decode_json(text) if suffix == ".json" else plain_yaml.read(text)
    except (msgspec.DecodeError, plain_yaml.NotPlain, RecursionError) as error:
        raise UnreadableProperties(f"{name} can't be read: {error}") from error
    if not isinstance(found, dict):
        raise UnreadableProperties(f"{name} holds no map.")
    return found


def in_zip(content: bytes, file: str) -> bytes | None:
    """The file of this name (or path) in a ZIP; None: it isn't in there. Raises UnreadableProperties."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for item in archive.infolist():
                if file in {item.filename, PurePosixPath(item.filename).name}:
                    if item.file_size > _FILE_LIMIT_BYTES:
                        raise UnreadableProperties(f"{file} is larger than {_FILE_LIMIT_BYTES} bytes.")
                    return _unpacked(archive, item)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise UnreadableProperties(f"The artifact with {file} can't be unpacked: {error}") from error
    return None


def _unpacked(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> bytes:
    """What the directory says of a file's size needn't be so: `ZipFile.read` makes all of it first, whatever it is."""
    if item.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise NotImplementedError(f"{item.filename} is packed in a way that isn't read (only deflated files are)")
    with archive.open(item) as opened:
        return opened.read(_FILE_LIMIT_BYTES)


def in_log(log: str) -> JsonObject:
    """`SPINNAKER_PROPERTY_KEY=value` and `SPINNAKER_CONFIG_JSON={…}` at the beginnings of lines. Raises as `parse`."""
    found: JsonObject = {}
    for line in log.splitlines():
        text = line.strip()
        if text.startswith(_PROPERTY) and "=" in text:
            key, value = text.removeprefix(_PROPERTY).split("=")[:2]
            found[key.lower()] = value.strip()
        elif text.startswith(_CONFIG):
            try:
                given = decode_json(text.removeprefix(_CONFIG))
            except msgspec.DecodeError as error:
                raise UnreadableProperties(f"SPINNAKER_CONFIG_JSON in the log is not JSON: {error}") from error
            found |= given if isinstance(given, dict) else {}
    return found


def _java_properties(text: str) -> Iterator[tuple[str, str]]:
    """As java.util.Properties reads them."""
    for line in _logical_lines(text):
        end = _KEY_END.search(line)
        if end is None:
            yield _unescaped(line), ""
            continue
        key, rest = line[: end.start(1)], line[end.start(1) :].lstrip(" \t\f")
        if rest[:1] in {"=", ":"}:
            rest = rest[1:].lstrip(" \t\f")
        yield _unescaped(key), _unescaped(rest)


def _logical_lines(text: str) -> Iterator[str]:
    pending: list[str] = []
    for raw in text.splitlines():
        line = raw.lstrip(" \t\f")
        if not pending and (not line or line[0] in "#!"):
            continue
        backslashes = len(line) - len(line.rstrip("\\"))
        if backslashes % 2:
            pending.append(line[:-1])
            continue
        yield "".join([*pending, line])
        pending = []
    if pending:
        yield "".join(pending)


def _unescaped(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        return _ESCAPES.get(match[2], match[2])

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", one, text)
