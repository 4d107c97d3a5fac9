"""Credentials: what goes with each request, and getting new ones when they expire or are refused.

An exec plugin is run when its credential is needed first, shortly before it expires, and once when it is refused. It gets
the server's environment, as kubectl gives it the person's, and `KUBERNETES_EXEC_INFO`.
"""

import asyncio
import base64
import os
import ssl
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from gennaker.interfaces.api_servers import ApiUnavailable
from gennaker.model import foreign
from gennaker.model.codec import JsonObject, decode_json, encode
from gennaker.model.problems import Problem, Refused
from gennaker.transport import children
from gennaker.transport.children import Place
from gennaker.transport.kubernetes.kubeconfig import Access, ExecPlugin

_EARLY = timedelta(seconds=60)
"""So long before it expires a credential is replaced."""
_PLUGIN_SECONDS = 60
_SHOWN = 300


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What goes with a request now."""

    authorization: str = ""
    certificate: bytes = b""
    key: bytes = b""
    expires: datetime | None = None


class Credentials:
    """The credentials of one account."""

    def __init__(self, access: Access, *, now: Callable[[], datetime]) -> None:
        """Nothing is read or run yet."""
        self._access = access
        self._now = now
        self._known: Credential | None = None
        self._renewing = asyncio.Lock()

    async def current(self, *, refused: Credential | None = None) -> Credential:
        """What to sign in with; `refused`: that one doesn't do any more. Raises ApiUnavailable, Refused."""
        async with self._renewing:
            known = self._known
            is_over = known is not None and known.expires is not None and known.expires - _EARLY <= self._now()
            if known is None or known is refused or is_over:
                known = self._known = await self._read()
            return known

    async def _read(self) -> Credential:
        user = self._access.user
        if user.plugin is not None and not (user.token or user.token_file):
            return await _run(user.plugin, self._access)
        return Credential(authorization=await self._authorization(), certificate=user.certificate, key=user.key)

    async def _authorization(self) -> str:
        user = self._access.user
        if user.token_file is not None:
            try:
                return f"Bearer {(await asyncio.to_thread(user.token_file.read_text)).strip()}"
            except OSError as error:
                raise ApiUnavailable(f"The token file {user.token_file} can't be read: {error}.") from error
        if user.token:
            return f"Bearer {user.token}"
        if user.username:
            pair = f"{user.username}:{user.password}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        return ""


async def _run(plugin: ExecPlugin, access: Access) -> Credential:
    environment = {**os.environ, **plugin.environment, "KUBERNETES_EXEC_INFO": _told(plugin, access)}
    command = (plugin.command, *plugin.args)
    try:
        ended = await children.run(command, Place(environment=environment), seconds=_PLUGIN_SECONDS)
    except TimeoutError as error:
        raise ApiUnavailable(f"The exec plugin {plugin.command} gave nothing in {_PLUGIN_SECONDS} s.") from error
    except OSError as error:
        raise Refused(_not_started(plugin, error)) from error
    if ended.status:
        said = ended.errors.decode(errors="replace").strip()[-_SHOWN:]
        raise ApiUnavailable(f"The exec plugin {plugin.command} ended with {ended.status}: {said}")
    return _credential(plugin, ended.output)


def _told(plugin: ExecPlugin, access: Access) -> str:
    spec: JsonObject = {"interactive": False}
    if plugin.gets_cluster:
        cluster: JsonObject = {"server": access.server, "insecure-skip-tls-verify": access.is_unchecked}
        if access.authority:
            cluster["certificate-authority-data"] = base64.b64encode(access.authority).decode()
        if access.server_name:
            cluster["tls-server-name"] = access.server_name
        if access.proxy:
            cluster["proxy-url"] = access.proxy
        spec["cluster"] = cluster
    return encode({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}).decode()


def _credential(plugin: ExecPlugin, out: bytes) -> Credential:
    try:
        status = foreign.mapping(foreign.mapping(decode_json(out)).get("status"))
        stamp = foreign.text_at(status, "expirationTimestamp")
        expires = datetime.fromisoformat(stamp) if stamp else None
    except (msgspec.DecodeError, ValueError) as error:
        raise Refused(_unreadable(plugin)) from error
    token = foreign.text_at(status, "token")
    found = Credential(
        authorization=f"Bearer {token}" if token else "",
        certificate=foreign.text_at(status, "clientCertificateData").encode(),
        key=foreign.text_at(status, "clientKeyData").encode(),
        expires=expires,
    )
    if not found.authorization and not found.certificate:
        raise Refused(_unreadable(plugin))
    return found


def secured(access: Access, credential: Credential) -> ssl.SSLContext:
    """TLS to the API server with this credential. Raises Refused."""
    try:
        context = ssl.create_default_context(cadata=access.authority.decode() if access.authority else None)
        if access.is_unchecked:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if credential.certificate:
            # OpenSSL reads client certificates from files only; this one is gone before the first request.
            with tempfile.NamedTemporaryFile(suffix=".pem") as file:
                file.write(credential.certificate + b"\n" + credential.key)
                file.flush()
                context.load_cert_chain(file.name)
    except (ssl.SSLError, ValueError) as error:
        raise Refused(
            Problem(
                code="kubernetes.certificate",
                message=f"The certificates for {access.server} can't be used: {error}.",
                remedy="Look at certificate-authority, client-certificate and client-key of the kubeconfig.",
            )
        ) from error
    return context


def _not_started(plugin: ExecPlugin, error: OSError) -> Problem:
    return Problem(
        code="kubernetes.exec_plugin",
        message=f"The exec plugin {plugin.command} can't be started: {error.strerror or error}.",
        remedy=plugin.install_hint or "Install it where the server runs, or correct the kubeconfig.",
    )


def _unreadable(plugin: ExecPlugin) -> Problem:
    return Problem(
        code="kubernetes.exec_plugin",
        message=f"The exec plugin {plugin.command} printed no ExecCredential with a token or a certificate.",
        remedy="Run it by hand and look at what it prints.",
    )
