"""Kubeconfig: which API server a context means, and what it is signed in to with. Also what a pod has of its own.

Files that it names are looked for beside it, as kubectl does. Everything wrong is said with the name of the thing in the
kubeconfig, never with its content, which may be a secret.
"""

import base64
import binascii
import os
from pathlib import Path

import msgspec

from gennaker.model import foreign, plain_yaml
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class ExecPlugin(msgspec.Struct, frozen=True, kw_only=True):
    """A program that prints credentials."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    gets_cluster: bool = False
    """It is told which cluster it is for."""
    install_hint: str = ""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody signs in with; the first that is there counts, beside the certificate."""

    token: str = ""
    token_file: Path | None = None
    """Read again when the token in it is refused: it is rotated."""
    username: str = ""
    password: str = ""
    certificate: bytes = b""
    """PEM, of the client."""
    key: bytes = b""
    plugin: ExecPlugin | None = None


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """An API server and how to sign in."""

    server: str
    authority: bytes = b""
    """PEM of who vouches for it; empty: the machine's."""
    is_unchecked: bool = False
    """Whoever answers is believed."""
    server_name: str = ""
    """Name in its certificate where it isn't that of the address."""
    proxy: str = ""
    namespace: str = "default"
    user: User = User()


def from_file(path: Path, context: str = "") -> Access:
    """What a context of the file means; empty: the current one. Raises Refused."""
    try:
        text = path.expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(f"The kubeconfig {path} can't be read: {error}.") from error
    return from_text(text, context, folder=path.expanduser().parent)


def from_text(text: str, context: str = "", *, folder: Path | None = None) -> Access:
    """What a context of a kubeconfig means. Raises Refused."""
    try:
        document = plain_yaml.read(text)
    except plain_yaml.NotPlain as error:
        raise _wrong(f"The kubeconfig isn't YAML (line {error.line}).") from error
    whole = foreign.mapping(document)
    name = context or foreign.text_at(whole, "current-context")
    if not name:
        raise _wrong("The kubeconfig has no current context.", "Name one in the account's `context`.")
    chosen = _named(whole, "contexts", "context", name)
    cluster = _named(whole, "clusters", "cluster", foreign.text_at(chosen, "cluster"))
    user_name = foreign.text_at(chosen, "user")
    user = _named(whole, "users", "user", user_name) if user_name else {}
    reader = _Reader(folder)
    server = foreign.text_at(cluster, "server")
    if not server.startswith(("http://", "https://")):
        raise _wrong(f"The cluster of the context {name!r} has no address.", "Give its `server`, with https://.")
    return Access(
        server=server.rstrip("/"),
        authority=reader.content(cluster, "certificate-authority"),
        is_unchecked=cluster.get("insecure-skip-tls-verify") is True,
        server_name=foreign.text_at(cluster, "tls-server-name"),
        proxy=foreign.text_at(cluster, "proxy-url"),
        namespace=foreign.text_at(chosen, "namespace") or "default",
        user=reader.user(user, user_name),
    )


def in_cluster(folder: Path = SERVICE_ACCOUNT) -> Access:
    """What the pod in which this runs may do. Raises Refused."""
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    token = folder / "token"
    if not host or not token.is_file():
        raise _wrong(
            "Gennaker doesn't run in a pod with a service account.",
            "Give the account a `kubeconfig-file` instead of `in-cluster`.",
        )
    namespace, authority = folder / "namespace", folder / "ca.crt"
    return Access(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        authority=authority.read_bytes() if authority.is_file() else b"",
        namespace=namespace.read_text().strip() if namespace.is_file() else "default",
        user=User(token_file=token),
    )


class _Reader:
    """Reads what stands in a kubeconfig or in a file that it names."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def content(self, holder: JsonObject, key: str) -> bytes:
        """`<key>-data` in base64, or the file `<key>`; empty: neither."""
        data, file = foreign.text_at(holder, f"{key}-data"), foreign.text_at(holder, key)
        if data:
            try:
                return base64.b64decode(data, validate=True)
            except binascii.Error as error:
                raise _wrong(f"{key}-data of the kubeconfig isn't base64.") from error
        if not file:
            return b""
        try:
            return self._path(file).read_bytes()
        except OSError as error:
            raise _wrong(f"The file that the kubeconfig names as {key} can't be read: {error}.") from error

    def user(self, raw: JsonObject, name: str) -> User:
        """Raises Refused."""
        if raw.get("auth-provider"):
            raise _wrong(
                f"The user {name!r} of the kubeconfig signs in by an auth-provider, which Kubernetes has dropped.",
                "Use an exec plugin or a token.",
            )
        file = foreign.text_at(raw, "tokenFile")
        plugin = raw.get("exec")
        return User(
            token=foreign.text_at(raw, "token"),
            token_file=self._path(file) if file else None,
            username=foreign.text_at(raw, "username"),
            password=foreign.text_at(raw, "password"),
            certificate=self.content(raw, "client-certificate"),
            key=self.content(raw, "client-key"),
            plugin=self._plugin(plugin, name) if isinstance(plugin, dict) else None,
        )

    def _plugin(self, raw: JsonObject, name: str) -> ExecPlugin:
        version, command = foreign.text_at(raw, "apiVersion"), foreign.text_at(raw, "command")
        if version not in _VERSIONS:
            raise _wrong(f"The exec plugin of {name!r} has the API version {version!r}.", f"Use {_VERSIONS[0]}.")
        if foreign.text_at(raw, "interactiveMode") == "Always":
            raise _wrong(f"The exec plugin of {name!r} wants to ask somebody.", "Set its interactiveMode to Never.")
        # As kubectl has it: a name is looked for on the PATH, a relative path beside the kubeconfig.
        own = str(self._path(command)) if "/" in command else command
        return ExecPlugin(
            api_version=version,
            command=own,
            args=tuple(foreign.text(one) for one in foreign.items(raw.get("args"))),
            environment={foreign.text_at(one, "name"): foreign.text_at(one, "value") for one in _pairs(raw)},
            gets_cluster=raw.get("provideClusterInfo") is True,
            install_hint=foreign.text_at(raw, "installHint"),
        )

    def _path(self, file: str) -> Path:
        found = Path(file).expanduser()
        if found.is_absolute():
            return found
        if self._folder is None:
            raise _wrong(f"The kubeconfig names the file {file!r}, relative to nothing.", "Write its whole path.")
        return self._folder / found


def _pairs(raw: JsonObject) -> list[JsonObject]:
    return foreign.mappings_at(raw, "env")


def _named(whole: JsonObject, listed: str, key: str, name: str) -> JsonObject:
    for one in foreign.mappings_at(whole, listed):
        if one.get("name") == name:
            return foreign.mapping(one.get(key))
    there = ", ".join(foreign.text_at(one, "name") for one in foreign.mappings_at(whole, listed)) or "none"
    raise _wrong(f"The kubeconfig has no {key} {name!r}.", f"It has: {there}.")


def _wrong(message: str, remedy: str = "") -> Refused:
    return Refused(Problem(code="kubernetes.kubeconfig", message=message, remedy=remedy))
