"""A provider of OpenID Connect and of OAuth2 that answers in the same process: signs and says what a test wants."""

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import httpx2
from joserfc import jwt
from joserfc.jwk import RSAKey

from gennaker.model.codec import Json, JsonObject

ISSUER = "https://id.example.org"
CLIENT = "gennaker"


class Issuer:
    """Everything about it may be changed between two requests."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.key = _key("first")
        self.is_down = False
        self.document: JsonObject = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
            "userinfo_endpoint": f"{ISSUER}/me",
            "end_session_endpoint": f"{ISSUER}/bye",
            "introspection_endpoint": f"{ISSUER}/introspect",
        }
        self.claims: JsonObject = {"preferred_username": "eve", "groups": ["Dev"]}
        """Of the next ID token, beside and instead of the usual ones."""
        self.user_info: JsonObject = {"sub": "e1"}
        self.groups: list[Json] = []
        self.access_tokens: dict[str, JsonObject] = {"a1": {"client_id": CLIENT, "sub": "e1"}}
        """What introspection says of those that are good."""
        self.token_answer: JsonObject | None = None
        """None: an ID token and an access token."""
        self.asked: list[str] = []
        self.sent: dict[str, str] = {}
        """The last form that came to the token endpoint."""
        self._challenge = ""
        self._nonce = ""

    def rotate(self) -> None:
        self.key = _key("second")

    def answer_to(self, address: str) -> dict[str, str]:
        """What the browser brings back after it has been sent to the address, and somebody has signed in."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        self._challenge, self._nonce = query["code_challenge"], query.get("nonce", "")
        return {"state": query["state"], "code": "c1"}

    async def resolve(self, host: str, port: int) -> tuple[str, ...]:
        return ("93.184.215.14",)

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._answered)

    def _answered(self, request: httpx2.Request) -> httpx2.Response:
        if self.is_down:
            raise httpx2.ConnectError("no route")
        path = request.url.path
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            return httpx2.Response(200, json=self.document)
        if path == "/keys":
            odd: JsonObject = {"kty": "OKP", "crv": "Ed448", "x": "", "kid": "odd"}
            return httpx2.Response(200, json={"keys": [odd, self.key.as_dict(private=False)]})
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if path == "/introspect":
            given = parse_qs(request.content.decode())["token"][0]
            said = self.access_tokens.get(given)
            return httpx2.Response(200, json={"active": False} if said is None else {"active": True, **said})
        if path in ("/me", "/groups") and token not in self.access_tokens:
            return httpx2.Response(401, json={"message": "Bad credentials"})
        if path in ("/me", "/groups"):
            return httpx2.Response(200, json=self.user_info if path == "/me" else self.groups)
        return self._token(request)

    def _token(self, request: httpx2.Request) -> httpx2.Response:
        self.sent = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.sent["authorization"] = request.headers.get("authorization", "")
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.sent["code_verifier"].encode()).digest())
        if challenge.rstrip(b"=").decode() != self._challenge:
            return httpx2.Response(400, json={"error": "invalid_grant"})
        if self.token_answer is not None:
            return httpx2.Response(200, json=self.token_answer)
        now = int(self.now().timestamp())
        usual = {"iss": ISSUER, "aud": CLIENT, "sub": "e1", "iat": now, "exp": now + 300, "nonce": self._nonce}
        token = jwt.encode({"alg": "RS256", "kid": self.key.kid}, {**usual, **self.claims}, self.key)
        return httpx2.Response(200, json={"id_token": token, "access_token": "a1", "token_type": "Bearer"})


_KEYS: dict[str, RSAKey] = {}


def _key(name: str) -> RSAKey:
    """Made once in a process: that takes a while."""
    if name not in _KEYS:
        _KEYS[name] = RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})
    return _KEYS[name]
