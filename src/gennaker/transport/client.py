"""The client of a running server: finds it through the data folder, or is told where it is, and speaks the native API."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec

from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.foreign import items, mapping
from gennaker.model.problems import Problem, Refused
from gennaker.model.server_file import ServerFile
from gennaker.transport import folder, tls

_TIMEOUT_SECONDS = 30.0


def server(data: Path) -> ServerFile:
    """Where the server of a data folder is. Raises Refused if none runs."""
    try:
        return folder.announcement(data)
    except FileNotFoundError as error:
        raise Refused(
            Problem(
                code="server.not_running",
                message=f"No Gennaker runs on {data}.",
                remedy="Start it with `gennaker serve`, or name its folder with --data.",
            )
        ) from error
    except (OSError, ValueError) as error:
        raise Refused(
            Problem(
                code="server.unreadable",
                message=f"{data / 'server.json'} can't be read: {error}.",
                remedy="Run the command as the user who started the server; if none runs, remove the file.",
            )
        ) from error


class Remote(msgspec.Struct, frozen=True, kw_only=True):
    """A server that isn't found by a data folder."""

    address: str
    """`https://gennaker.example.com`, without a slash at its end."""
    token: str
    """An API token."""


class Client:
    """Calls of the native API; every error answer is raised as Refused."""

    def __init__(self, where: Path | Remote) -> None:
        """`where`: a data folder, or a server elsewhere. Raises Refused if no server runs on the folder, or its token can't be read."""
        self._where = where
        found = where if isinstance(where, Remote) else _of_folder(where)
        self._address = found.address
        self._http = _http(found)

    def close(self) -> None:
        """Gives its connections back."""
        self._http.close()

    def find_again(self) -> None:
        """Looks where the server is now: one that was started again may have another address. Raises Refused as the constructor does."""
        if isinstance(self._where, Remote):
            return
        found = _of_folder(self._where)
        self._http.close()
        self._address = found.address
        self._http = _http(found)

    @property
    def address(self) -> str:
        """Of the API."""
        return self._address

    def get(self, path: str, **query: str | list[str]) -> Json:
        """GET of a path below the server's root."""
        return self._answer("GET", path, params=query)

    def listed(self, path: str, name: str, **query: str | list[str]) -> list[Json]:
        """All items of a list, which the server gives page by page."""
        found: list[Json] = []
        cursor: dict[str, str | list[str]] = {}
        while True:
            answer = mapping(self.get(path, **query, **cursor))
            found += items(answer.get(name))
            following = answer.get("next")
            if following is None:
                return found
            cursor = {"after": str(following)}

    def post(self, path: str, body: JsonObject | None = None) -> Json:
        """POST of JSON."""
        return self._answer("POST", path, body=body or {})

    def put(self, path: str, body: JsonObject) -> Json:
        """PUT of JSON."""
        return self._answer("PUT", path, body=body)

    def delete(self, path: str) -> None:
        """DELETE."""
        self._asked("DELETE", path)

    def content(self, path: str) -> bytes:
        """GET of something that is no JSON of ours."""
        return self._asked("GET", path).content

    def events(self, path: str = "/api/v1/events", /, **query: str) -> Iterator[tuple[str, Json]]:
        """Live updates, or those of another path: topic and body."""
        with self._http.stream("GET", path, params=query, timeout=None) as answer:
            topic = ""
            if answer.status_code >= httpx2.codes.BAD_REQUEST:
                answer.read()
                raise Refused(*_problems(answer), status=answer.status_code)
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    topic = line[6:].strip()
                elif line.startswith("data:"):
                    value = decode_json(line[5:].strip())
                    yield topic, value

    def _answer(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str | list[str]] | None = None,
        body: JsonObject | None = None,
    ) -> Json:
        answer = self._asked(method, path, params=params, body=body)
        try:
            return decode_json(answer.content) if answer.content else None
        except msgspec.DecodeError as error:
            raise Refused(_not_json(self._address, path), status=502) from error

    def _asked(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str | list[str]] | None = None,
        body: JsonObject | None = None,
    ) -> httpx2.Response:
        try:
            answer = self._http.request(method, path, params=params, json=body)
        except httpx2.TransportError as error:
            raise Refused(
                Problem(
                    code="server.unreachable",
                    message=f"The server at {self._address} doesn't answer: {error}.",
                    remedy="Look at its log, or start it again with `gennaker serve`.",
                )
            ) from error
        if answer.is_redirect:
            raise Refused(_redirected(self._address, answer), status=502)
        if answer.status_code >= httpx2.codes.BAD_REQUEST:
            raise Refused(*_problems(answer), status=answer.status_code)
        return answer


def _http(server: Remote) -> httpx2.Client:
    return httpx2.Client(
        base_url=server.address,
        headers={"Authorization": f"Bearer {server.token}", "User-Agent": "gennaker-cli"},
        timeout=_TIMEOUT_SECONDS,
        trust_env=False,
        verify=tls.trusted(),
    )


def _of_folder(data: Path) -> Remote:
    found = server(data)
    try:
        return Remote(address=found.api, token=(data / "token").read_text().strip())
    except OSError as error:
        raise Refused(
            Problem(
                code="server.no_token",
                message=f"The token {data / 'token'} can't be read: {error.strerror}.",
                remedy="Run the command as the user who started the server.",
            )
        ) from error


def _not_json(address: str, path: str) -> Problem:
    return Problem(
        code="server.not_json",
        message=f"What {address} answers to {path.partition('?')[0]} is no JSON: no Gennaker, or a page to sign in before it.",
        remedy="Look at the address; a proxy before the server must let API tokens pass.",
    )


def _redirected(address: str, answer: httpx2.Response) -> Problem:
    target = answer.headers.get("location", "")
    return Problem(
        code="server.redirects",
        message=f"{address} sends us on to {target!r}, where the token isn't sent.",
        remedy="Name the address that it leads to; a proxy before the server must let API tokens pass.",
    )


def _problems(answer: httpx2.Response) -> list[Problem]:
    try:
        body = decode_json(answer.content)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        return [Problem(code=f"http.{answer.status_code}", message=answer.text[:500] or answer.reason_phrase)]
    listed = body.get("problems")
    found = [
        Problem(
            code=str(item.get("code", "")),
            message=str(item.get("message", "")),
            remedy=str(item.get("remedy", "")),
            pointer=str(item.get("pointer", "")),
        )
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict)
    ]
    return found or [Problem(code=str(body.get("code", "")), message=str(body.get("detail") or body.get("title")))]
