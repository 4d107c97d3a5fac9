"""Configuration: reads settings from gennaker.toml, environment and flags, and remembers where each value came from.

Later ones win: default, file, environment (`GENNAKER_SERVER__PORT=8084`: sections and keys joined by two underscores,
hyphens as underscores), flag (`--set server.port=8084`). Keys that don't exist are refused with the nearest that do.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from gennaker.model.codec import Json, JsonObject, to_json
from gennaker.model.problems import Problem, Refused
from gennaker.settings import (
    ArtifactAccountSettings,
    CiSettings,
    LoadBalancerSettings,
    PreconfiguredWebhookSettings,
    ProviderSettings,
    Settings,
)

_FREE_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "artifact-accounts": ArtifactAccountSettings,
    "ci": CiSettings,
    "load-balancers": LoadBalancerSettings,
    "preconfigured-webhooks": PreconfiguredWebhookSettings,
    "providers": ProviderSettings,
}
"""Sections whose keys are names that people choose."""
_FREE_KEYS = frozenset({"custom-headers", "account-back-off-seconds"})
"""Keys in such sections that hold names that people choose, too."""
_NOT_SETTINGS = frozenset({"GENNAKER_DATA", "GENNAKER_CONFIG"})


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """Settings and where they came from."""

    settings: Settings
    sources: dict[str, str]
    """By dotted key: `default`, `gennaker.toml`, `environment`, `flag`."""
    file: Path
    data: Path


def data_folder(given: Path | None, environment: Mapping[str, str]) -> Path:
    """`--data`, else `GENNAKER_DATA`, else the user's data folder."""
    if given is not None:
        return given.expanduser().absolute()
    if environment.get("GENNAKER_DATA"):
        return Path(environment["GENNAKER_DATA"]).expanduser().absolute()
    home = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home) / "gennaker"


def read(
    *, data: Path | None = None, file: Path | None = None, flags: Sequence[str] = (), environment: Mapping[str, str]
) -> Configured:
    """Reads all sources. Raises Refused with everything that is wrong."""
    folder = data_folder(data, environment)
    named = file or (Path(environment["GENNAKER_CONFIG"]) if environment.get("GENNAKER_CONFIG") else None)
    path = named or folder / "gennaker.toml"
    problems: list[Problem] = []
    values: dict[str, tuple[Json, str]] = {}
    for source, found in (
        (path.name, _from_file(path, problems, is_needed=named is not None)),
        ("environment", _from_environment(environment)),
        ("flag", _from_flags(flags, problems)),
    ):
        for key, value in found.items():
            values[key] = (value, source)
    problems += _unknown_keys(values)
    if problems:
        raise Refused(*problems)
    try:
        settings = msgspec.convert(_nested(values), Settings, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(_invalid(error)) from error
    sources = {key: values[key][1] if key in values else "default" for key in keys(settings)}
    return Configured(settings=settings, sources=sources, file=path, data=folder)


def keys(settings: Settings) -> dict[str, Json]:
    """All settings by dotted key, in the order in which they are declared."""
    return dict(_flattened(to_json(settings)))


def shown(settings: Settings) -> dict[str, Json]:
    """As `keys`, without what may be secret: header values that don't come from files, the database's password."""
    plain = {**keys(settings), "store.url": _without_password(settings.store.url)}
    return {
        key: "****" if ".custom-headers." in key and not str(value).startswith("file:") else value
        for key, value in plain.items()
    }


def _without_password(url: str) -> str:
    """Whatever stands between the first colon and the last @ of the address, also where it is no proper one."""
    return re.sub(r"(?<=://)([^/?]*?):[^/?]*@", r"\1:****@", url)


def _from_file(path: Path, problems: list[Problem], *, is_needed: bool) -> dict[str, Json]:
    try:
        content: JsonObject = tomllib.loads(path.read_text())
    except FileNotFoundError:
        if is_needed:
            problems.append(
                Problem(
                    code="settings.no_file", message=f"There is no settings file {path}.", remedy="Name another one."
                )
            )
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(
            Problem(
                code="settings.not_toml",
                message=f"{path} is not valid TOML: {error}.",
                remedy="Correct it and start again.",
            )
        )
        return {}
    except OSError as error:
        problems.append(Problem(code="settings.unreadable", message=f"{path} can't be read: {error.strerror}."))
        return {}
    return dict(_flattened(content))


def _from_environment(environment: Mapping[str, str]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in environment.items():
        if not name.startswith("GENNAKER_") or name in _NOT_SETTINGS:
            continue
        dotted = name.removeprefix("GENNAKER_").lower().replace("__", ".").replace("_", "-")
        # Other programs have variables that begin so, too: without a section only those are ours that exist.
        if "." in dotted or dotted in _field_names(Settings):
            found[dotted] = _guess(value)
    return found


def _from_flags(flags: Sequence[str], problems: list[Problem]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for flag in flags:
        key, sign, value = flag.partition("=")
        if not sign:
            problems.append(
                Problem(
                    code="settings.flag",
                    message=f"--set {flag} has no value.",
                    remedy="Write --set section.key=value.",
                )
            )
        else:
            found[_normalised(key.strip())] = _guess(value)
    return found


def _normalised(key: str) -> str:
    """Hyphens for underscores, but not in names that people chose."""
    section, dot, rest = key.partition(".")
    section = section.replace("_", "-")
    name, inner, last = rest.rpartition(".") if section in _FREE_SECTIONS else ("", "", rest)
    return f"{section}{dot}{name}{inner}{last.replace('_', '-')}"


def _guess(text: str) -> Json:
    """Lists are written as JSON; everything else is converted by the setting's type."""
    if text.startswith("["):
        try:
            value: Json = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
        return value
    return text


def _flattened(value: Json, prefix: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict) and (value or not prefix):
        for key, item in value.items():
            yield from _flattened(item, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, value


def _nested(values: Mapping[str, tuple[Json, str]]) -> JsonObject:
    root: JsonObject = {}
    for dotted, (value, _) in values.items():
        *sections, last = dotted.split(".")
        here = root
        for section in sections:
            inner = here.setdefault(section, {})
            assert isinstance(inner, dict)
            here = inner
        here[last] = value
    return root


def _unknown_keys(values: Mapping[str, tuple[Json, str]]) -> list[Problem]:
    known = set(keys(Settings()))
    problems = []
    for dotted, (value, source) in values.items():
        section, _, rest = dotted.partition(".")
        if value == {} and (section in _FREE_SECTIONS or dotted in _field_names(Settings)):
            continue  # a section, or something of a chosen name, with all its defaults
        if section in _FREE_SECTIONS and _is_field(rest, _FREE_SECTIONS[section]):
            continue
        if dotted not in known:
            near = difflib.get_close_matches(dotted, known, n=1, cutoff=0.5)
            problems.append(
                Problem(
                    code="settings.unknown",
                    message=f"There is no setting {dotted!r} (from {source}).",
                    remedy=f"Did you mean {near[0]}?" if near else "`gennaker config show` lists all.",
                )
            )
    return problems


def _is_field(below: str, kind: type[msgspec.Struct]) -> bool:
    """Whether `name.field`, or `name.field.key` where the keys are free, is a setting."""
    before, _, last = below.rpartition(".")
    names = _field_names(kind)
    return last in names or before.rpartition(".")[2] in names & _FREE_KEYS


def _field_names(kind: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def _invalid(error: msgspec.ValidationError) -> Problem:
    return Problem(
        code="settings.invalid",
        message=f"A setting has a value of the wrong kind: {error}.",
        remedy="`gennaker config show` shows all settings with their defaults.",
    )
