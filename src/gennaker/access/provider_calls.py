"""Requests to a provider that people sign in with: JSON over HTTP, and what is said where it can't be had."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import msgspec

from gennaker.model.codec import Json, JsonObject, decode_json
from gennaker.model.problems import Problem, Refused
from gennaker.transport.http import GuardedClient, HttpAnswer, HttpFailure

_SHOWN = 300


class ProviderCalls:
    """Asks one provider."""

    def __init__(self, section: str, new_client: Callable[[], GuardedClient]) -> None:
        """`section`: of the settings that name the provider; problems begin their codes with it."""
        self.section = section
        self._new_client = new_client

    async def get(self, url: str, *, authorization: str = "") -> JsonObject:
        """Raises Refused."""
        return self._object(await self._asked("GET", url, authorization, b""), "GET")

    async def get_list(self, url: str, *, authorization: str) -> list[Json]:
        """Raises Refused."""
        answer = await self._asked("GET", url, authorization, b"")
        found = _json(answer)
        if answer.status < 400 and isinstance(found, list):
            return found
        self._object(answer, "GET")
        raise self.untrustworthy(f"it answered {_place(answer)} without a list.")

    async def post(self, url: str, form: Mapping[str, str], *, authorization: str) -> JsonObject:
        """Raises Refused."""
        return self._object(await self._asked("POST", url, authorization, urlencode(form).encode()), "POST")

    async def is_taken(self, url: str, *, authorization: str) -> JsonObject | None:
        """As `get`; None: the provider says that it doesn't know this authorization. Raises Refused."""
        answer = await self._asked("GET", url, authorization, b"")
        return None if answer.status in (400, 401, 403) else self._object(answer, "GET")

    def untrustworthy(self, why: str) -> Refused:
        """What the provider says can't be believed; `why` ends the sentence."""
        return untrustworthy(why, section=self.section)

    async def _asked(self, method: str, url: str, authorization: str, body: bytes) -> HttpAnswer:
        headers = {"accept": "application/json"}
        if authorization:
            headers["authorization"] = authorization
        if body:
            headers["content-type"] = "application/x-www-form-urlencoded"
        client = self._new_client()
        try:
            return await client.request(method, url, headers=headers, body=body)
        except HttpFailure as failure:
            raise self._unanswered(str(failure)) from failure
        finally:
            await client.close()

    def _object(self, answer: HttpAnswer, method: str) -> JsonObject:
        found = _json(answer)
        if answer.status >= 500 or (answer.status < 400 and not isinstance(found, dict)):
            raise self._unanswered(
                f"it answered {answer.status} to {method} {_place(answer)}, without JSON that is of use."
            )
        if answer.status >= 400 or not isinstance(found, dict):
            said = found.get("error_description") or found.get("error") if isinstance(found, dict) else None
            raise self.declined(str(said or "it gives no reason"), status=answer.status)
        return found

    def declined(self, said: str, *, status: int) -> Refused:
        """The provider has refused a request of ours; `said`: in its words."""
        names = f"{self.section}.client-id and {self.section}.client-secret-file"
        return Refused(
            Problem(
                code=f"{self.section}.declined",
                message=f"The sign-in provider refused ({status}): {said[:_SHOWN]}.",
                remedy=f"Sign in once more. If it stays so, compare {names} with the provider's.",
            ),
            status=502,
        )

    def _unanswered(self, why: str) -> Refused:
        return Refused(
            Problem(
                code=f"{self.section}.unanswered",
                message=f"The sign-in provider can't be asked: {why}",
                remedy="Try again later; who has a password or an API token can sign in without it.",
            ),
            status=503,
        )


def untrustworthy(why: str, *, section: str = "oidc") -> Refused:
    """What the provider says can't be believed; `why` ends the sentence."""
    return Refused(
        Problem(
            code=f"{section}.untrustworthy",
            message=f"Nobody was signed in, because the sign-in provider can't be trusted: {why}",
            remedy=f"Sign in once more. If it stays so, compare the settings' section `{section}`, and the clock, with the provider's.",
        ),
        status=502,
    )


def _json(answer: HttpAnswer) -> Json:
    try:
        return decode_json(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _place(answer: HttpAnswer) -> str:
    return answer.url.partition("?")[0]
