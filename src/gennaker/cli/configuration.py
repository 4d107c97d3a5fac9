"""Configuration: reads settings from gennaker.toml, environment and flags, and remembers where each value came from.

Later ones win: default, file, environment (`GENNAKER_SERVER__PORT=8084`: sections and keys joined by two underscores,
hyphens as underscores), flag (`--set server.port=8084`). Keys that don't exist are refused with the nearest that do.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.model.codec import Json, JsonObject, decode_json, to_json
from gennaker.model.problems import Problem, Refused
from gennaker.settings import (
    AccountSettings,
    ArtifactAccountSettings,
    CiArtifactSettings,
    CiSettings,
    ConditionSettings,
    DockerSettings,
    JobSettings,
    PreconfiguredWebhookSettings,
    ProviderSettings,
    Settings,
)
from gennaker.traffic_settings import LoadBalancerSettings

_FREE_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "accounts": AccountSettings,
    "artifact-accounts": ArtifactAccountSettings,
    "ci": CiSettings,
    "ci-artifacts": CiArtifactSettings,
    "conditions": ConditionSettings,
    "docker": DockerSettings,
    "jobs": JobSettings,
    "kubernetes": KubernetesAccountSettings,
    "load-balancers": LoadBalancerSettings,
    "preconfigured-webhooks": PreconfiguredWebhookSettings,
    "providers": ProviderSettings,
}
"""Sections whose keys are names that people choose."""
_FREE_KEYS = frozenset({"custom-headers", "permissions", "account-back-off-seconds", "secrets"})
"""Keys in such sections that hold names that people choose, too."""
_FREE_MAPS = frozenset({"traffic.accounts", "traffic.programs", "oidc.roles", "oauth2.roles"})
"""Settings of ordinary sections that are maps from names that people choose."""
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
        ("environment", _from_environment(environment, problems)),
        ("flag", _from_flags(flags, problems)),
    ):
        for key, value in found.items():
            values[key] = (value, source)
    known = {key: found for key, found in values.items() if _is_setting(key, found[0])}
    problems += [_unknown(key, source) for key, (_, source) in values.items() if key not in known]
    problems += _unfit(known)
    if problems:
        raise Refused(*problems)
    settings = msgspec.convert(_nested(values), Settings, strict=False)
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
    except NotADirectoryError:
        message = f"{path.parent} is a file, or lies below one."
        problems.append(Problem(code="settings.no_folder", message=message, remedy="Name a folder with --data."))
        return {}
    except OSError as error:
        problems.append(Problem(code="settings.unreadable", message=f"{path} can't be read: {error.strerror}."))
        return {}
    return dict(_flattened(content))


def _from_environment(environment: Mapping[str, str], problems: list[Problem]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    meant = {key.replace(".", "-"): key for key in keys(Settings())}
    for name, value in environment.items():
        if not name.startswith("GENNAKER_") or name in _NOT_SETTINGS:
            continue
        dotted = name.removeprefix("GENNAKER_").lower().replace("__", ".").replace("_", "-")
        # Other programs have variables that begin so, too: without a section only those are ours that exist.
        if "." in dotted or dotted in _field_names(Settings):
            found[dotted] = _guess(value)
        elif dotted in meant:
            problems.append(_one_underscore(name, meant[dotted]))
    return found


def _one_underscore(name: str, key: str) -> Problem:
    right = "GENNAKER_" + key.upper().replace("-", "_").replace(".", "__")
    return Problem(
        code="settings.one_underscore",
        message=f"The variable {name} sets nothing: section and key are parted by two underscores.",
        remedy=f"Write {right}, or unset it.",
    )


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
    if f"{section}.{rest}".rpartition(".")[0] in _FREE_MAPS:
        return f"{section}.{rest}"
    return f"{section}{dot}{name}{inner}{last.replace('_', '-')}"


def _guess(text: str) -> Json:
    """Lists are written as JSON; everything else is converted by the setting's type."""
    if text.startswith("["):
        try:
            value = decode_json(text)
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


def _is_setting(dotted: str, value: Json) -> bool:
    section, _, rest = dotted.partition(".")
    if value == {} and (section in _FREE_SECTIONS or dotted in _field_names(Settings)):
        return True  # a section, or something of a chosen name, with all its defaults
    if section in _FREE_SECTIONS and _is_field(rest, _FREE_SECTIONS[section]):
        return True
    if dotted.rpartition(".")[0] in _FREE_MAPS:
        return True
    return dotted in keys(Settings())


def _unknown(dotted: str, source: str) -> Problem:
    near = difflib.get_close_matches(dotted, keys(Settings()), n=1, cutoff=0.5)
    return Problem(
        code="settings.unknown",
        message=f"There is no setting {dotted!r} (from {source}).",
        remedy=f"Did you mean {near[0]}?" if near else "`gennaker config show` lists all.",
    )


def _is_field(below: str, kind: type[msgspec.Struct]) -> bool:
    """Whether `name.field`, or `name.field.key` where the keys are free, is a setting."""
    before, _, last = below.rpartition(".")
    names = _field_names(kind)
    return last in names or before.rpartition(".")[2] in names & _FREE_KEYS


def _field_names(kind: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(kind)}


def _unfit(values: Mapping[str, tuple[Json, str]]) -> Iterator[Problem]:
    """What has the wrong kind, or is out of its range: each part that can be read alone is."""
    parts: dict[str, dict[str, tuple[Json, str]]] = {}
    for dotted, found in values.items():
        section, _, rest = dotted.partition(".")
        # What has a chosen name is read as a whole: some of it must be there.
        name = f"{section}.{rest.partition('.')[0]}" if section in _FREE_SECTIONS else dotted
        parts.setdefault(name, {})[dotted] = found
    for name, part in parts.items():
        try:
            settings = msgspec.convert(_nested(part), Settings, strict=False)
        except msgspec.ValidationError as error:
            yield _invalid(str(error), name, part)
        else:
            if not _is_zone(settings.engine.time_zone):
                yield _no_zone(settings.engine.time_zone)


def _invalid(said: str, name: str, values: Mapping[str, tuple[Json, str]]) -> Problem:
    what, _, where = said.partition(" - at `$.")
    # msgspec doesn't say which key of a mapping it means.
    dotted = re.sub(r"^[a-z-]+\[\.\.\.\]", name, where.rstrip("`"))
    # A list is a setting as a whole, whichever of its items is meant.
    value, source = values.get(dotted.partition("[")[0], (None, ""))
    shown = f" is {value!r} (from {source})" if source and not _may_be_secret(dotted) else ""
    default = keys(Settings()).get(dotted)
    return Problem(
        code="settings.invalid",
        message=f"The setting {dotted}{shown}: {_in_words(what)}.",
        remedy=f"Its default is {default!r}." if default is not None else "",
    )


def _may_be_secret(dotted: str) -> bool:
    return dotted == "store.url" or ".custom-headers" in dotted


_WORDS = (
    (r"^Expected ", "it must be "),
    (r"^Object missing required field ", "it lacks "),
    (r"^Invalid enum value ", "it can't be "),
    (r"`str` matching regex .*", "a name of letters, digits, dots, hyphens and underscores"),
    (r", got .*", ""),
    (r"`int`", "a whole number"),
    (r"`float`", "a number"),
    (r"`str`", "text"),
    (r"`bool`", "true or false"),
    (r"`array`", "a list"),
    (r" >= ", " of at least "),
    (r" <= ", " of at most "),
    (r" > ", " of more than "),
    (r"\.0$", ""),
)
"""What msgspec says, and how people say it."""


def _in_words(said: str) -> str:
    for pattern, word in _WORDS:
        said = re.sub(pattern, word, said)
    return said


def _is_zone(name: str) -> bool:
    # The default is Spinnaker's: a machine without time zones may start as long as no window asks for one.
    if name == Settings().engine.time_zone:
        return True
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _no_zone(name: str) -> Problem:
    return Problem(
        code="settings.time_zone",
        message=f"The setting engine.time-zone is {name!r}, which this machine knows no time zone by.",
        remedy="Set it to one like Europe/Berlin or UTC.",
    )
