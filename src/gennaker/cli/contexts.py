"""`gennaker context …`: servers elsewhere, each with a name and an API token, in a file that only its owner may read.

Commands use the one that `--context` or GENNAKER_CONTEXT names, else the one in use; `local` is the data folder of this machine.
"""

import os
import re
import sys
from collections.abc import Mapping
from getpass import getpass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from cyclopts import App, Parameter

from gennaker.cli import terminal
from gennaker.cli.terminal import Form
from gennaker.model import foreign
from gennaker.model.problems import Problem, Refused
from gennaker.transport.client import Client, Remote
from gennaker.transport.permissions import open_private

LOCAL = "local"
"""The name of no server elsewhere."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
_OTHERS = 0o077
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Contexts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file says."""

    in_use: str = LOCAL
    servers: dict[str, Remote] = {}


def add_to(app: App) -> None:
    """Adds the commands."""
    context = App(name="context", help="Servers elsewhere that commands can be about.")
    context.command(add, name="add")
    context.command(use, name="use")
    context.command(listed, name="list")
    context.command(remove, name="remove")
    app.command(context)


def file(environment: Mapping[str, str]) -> Path:
    """Where they are kept."""
    home = environment.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "gennaker" / "contexts.json"


def find(path: Path, name: str | None) -> Remote | None:
    """A server by the name of its context; without a name the one in use. None: the data folder. Raises Refused."""
    if name == LOCAL:
        return None
    kept = _read(path)
    name = kept.in_use if name is None else name
    return None if name == LOCAL else _only(kept, name)


def add(
    name: str,
    address: Annotated[str, Parameter(help="The server's, e.g. https://gennaker.example.com.")],
    /,
) -> int:
    """Keep the server at ADDRESS under NAME and use it: asks for an API token of it, or reads it from standard input."""
    if not _NAME.fullmatch(name) or name == LOCAL:
        raise Refused(_unfit(name))
    address = _checked(address)
    token = (getpass(f"API token for {address}: ") if sys.stdin.isatty() else sys.stdin.read()).strip()
    if not token or not token.isascii() or not token.isprintable():
        raise Refused(Problem(code="context.token", message="That is no token.", remedy="Give one, on one line."))
    server = Remote(address=address, token=token)
    said = _asked(server)
    path = file(os.environ)
    kept = _read(path)
    _write(path, Contexts(in_use=name, servers={**kept.servers, name: server}))
    terminal.say(f"{said} Commands are about {name} from now on; `gennaker context use {LOCAL}` goes back.")
    return 0


def use(name: Annotated[str, Parameter(help="`local`: the data folder of this machine.")], /) -> int:
    """Let commands be about NAME from now on."""
    path = file(os.environ)
    kept = _read(path)
    where = "the data folder of this machine" if name == LOCAL else _only(kept, name).address
    _write(path, msgspec.structs.replace(kept, in_use=name))
    terminal.say(f"Commands are about {name} from now on: {where}.")
    return 0


def listed(*, output: Annotated[Form, Parameter(help="How it is printed.")] = Form.TABLE) -> int:
    """Names and addresses; no tokens."""
    kept = _read(file(os.environ))
    names = [LOCAL, *sorted(kept.servers)]
    addresses = {LOCAL: "", **{name: one.address for name, one in kept.servers.items()}}
    if output is not Form.TABLE:
        found = [{"name": name, "address": addresses[name], "inUse": name == kept.in_use} for name in names]
        terminal.show(found, output)
        return 0
    rows = [(name, addresses[name] or "the data folder", "in use" if name == kept.in_use else "") for name in names]
    terminal.show_table("", ("context", "server", ""), rows)
    return 0


def remove(name: str, /) -> int:
    """Forget NAME and its token; the token stays good until it is revoked."""
    path = file(os.environ)
    kept = _read(path)
    _only(kept, name)
    servers = {key: one for key, one in kept.servers.items() if key != name}
    _write(path, Contexts(in_use=LOCAL if kept.in_use == name else kept.in_use, servers=servers))
    terminal.say(f"{name} is forgotten.")
    return 0


def _asked(server: Remote) -> str:
    """What is told of the server. Raises Refused where it doesn't take the token."""
    client = Client(server)
    try:
        client.get("/api/v1/applications", limit="1")
        version = foreign.text(foreign.mapping(client.get("/version")).get("version"))
    except Refused as refused:
        if refused.problems[0].code != "server.unreachable":
            raise
        return f"Kept, though {server.address} doesn't answer at present."
    finally:
        client.close()
    return f"Kept: {server.address} answers with version {version}."


def _checked(address: str) -> str:
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.query or parts.fragment:
        raise Refused(
            Problem(
                code="context.address",
                message=f"{address!r} is no address of a server.",
                remedy="Give one as https://gennaker.example.com.",
            )
        )
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise Refused(
            Problem(
                code="context.plain",
                message=f"{address} isn't reached by TLS: everybody on the way could read the token.",
                remedy="Give an https address.",
            )
        )
    return address.rstrip("/")


def _only(kept: Contexts, name: str) -> Remote:
    if name not in kept.servers:
        raise Refused(
            Problem(
                code="context.unknown",
                message=f"There is no context {name!r}.",
                remedy=f"There are {', '.join([LOCAL, *sorted(kept.servers)])}; `gennaker context add` makes one.",
            )
        )
    return kept.servers[name]


def _unfit(name: str) -> Problem:
    return Problem(
        code="context.name",
        message=f"{name!r} can't be the name of a context.",
        remedy=f"Use up to 50 letters, digits, `.`, `_` and `-`; `{LOCAL}` is this machine's data folder.",
    )


def _read(path: Path) -> Contexts:
    try:
        if path.stat().st_mode & _OTHERS:
            message = f"Others may read {path}, which holds tokens."
            raise Refused(Problem(code="context.readable", message=message, remedy=f"Run `chmod 600 {path}`."))
        return msgspec.json.decode(path.read_bytes(), type=Contexts)
    except FileNotFoundError:
        return Contexts()
    except (OSError, msgspec.DecodeError) as error:
        message = f"{path} can't be read: {error}."
        raise Refused(Problem(code="context.unreadable", message=message, remedy="Mend or remove it.")) from error


def _write(path: Path, contexts: Contexts) -> None:
    """Whole or not at all."""
    fresh = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(fresh, "wb", opener=open_private) as written:
            written.write(msgspec.json.format(msgspec.json.encode(contexts)) + b"\n")
            written.flush()
            os.fsync(written.fileno())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        message = f"{path} can't be written: {error.strerror}."
        raise Refused(Problem(code="context.unwritten", message=message, remedy="Make its folder writable.")) from error
