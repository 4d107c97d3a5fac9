"""Signing in: turns what a request brings (password, token, session, what a proxy has checked) into a principal.

Every success and refusal of a password is audited; a principal's roles are those of the moment.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from gennaker.access import credentials, identities
from gennaker.access.credentials import Credentials, Token
from gennaker.access.guesses import Guesses
from gennaker.access.identities import Identities, Person, ServiceAccount
from gennaker.access.passwords import Passwords
from gennaker.interfaces.audit import AuditTrail
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.documents import Documents
from gennaker.interfaces.identity_providers import ForeignPerson, IdentityProvider, PasswordDirectory
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import Json, JsonObject
from gennaker.model.permissions import Right, role_name
from gennaker.model.principal import Principal
from gennaker.model.problems import Problem, Refused
from gennaker.settings import SignInSettings

VIA_SESSION, VIA_TOKEN, VIA_ACCESS_TOKEN = "page", "api", "access-token"
_MOST_TOLD = 10_000
"""Names of whom it is remembered that their coming was told to the audit."""
_SERVICE_TOKEN_LIVES = timedelta(days=365)


class SignIn:
    """People, service accounts and what they sign in with."""

    def __init__(  # noqa: PLR0913 - given by name, in one place
        self,
        *,
        people: Identities,
        documents: Callable[[str], Documents],
        passwords: Passwords,
        audit: AuditTrail,
        clock: Clock,
        new_secret: Callable[[], str],
        settings: SignInSettings,
        provider: IdentityProvider | None = None,
        directory: PasswordDirectory | None = None,
    ) -> None:
        """All over the same store. `provider`: the sign-in elsewhere that browsers may use; `directory`: who else knows passwords."""
        self.identities = people
        self.settings = settings
        self.provider = provider
        self._directory = directory
        self._credentials = Credentials(documents, clock=clock, new_secret=new_secret)
        self._passwords = passwords
        self._guesses = Guesses(clock)
        self._token_guesses = Guesses(clock, "access tokens")
        self._audit = audit
        self._clock = clock
        self._told: dict[str, datetime] = {}

    async def by_password(self, name: str, password: str, *, address: str, via: str) -> Principal:
        """Raises Refused: 401 where name or password are wrong, without saying which; 429 after too many."""
        self._guesses.check(name.lower(), address)
        person = await self.identities.person(name)
        foreign = await self._in_directory(name, password, person)
        if foreign is not None:
            self._guesses.was_right(name.lower(), address)
            return await self.by_provider(foreign, address=address)
        kept = None if person is None or person.is_disabled else person.password
        if not await self._passwords.is_right(kept, password) or person is None:
            self._guesses.was_wrong(name.lower(), address)
            await self._tell("sign_in.refused", name[:100], {"via": via, "address": address})
            raise Refused(_wrong(), status=401)
        self._guesses.was_right(name.lower(), address)
        return _principal(person, via=via)

    async def _in_directory(self, name: str, password: str, person: Person | None) -> ForeignPerson | None:
        """Whom the directory knows so; of whoever has another sign-in here it isn't asked."""
        if self._directory is None or not password or not identities.is_name(name):
            return None
        if person is not None and person.source != self._directory.name:
            return None
        return await self._directory.check(name, password)

    async def by_token(self, secret: str) -> Principal | None:
        """None: nobody's, too old, or of somebody who may no longer sign in."""
        token = await self._credentials.token(secret)
        if token is None:
            return None
        if token.is_service_account:
            account = await self.identities.service_account(token.holder)
            roles = frozenset(account.roles if account else ())
            found = None if account is None else Principal(name=account.name, roles=roles, via=VIA_TOKEN)
        else:
            found = await self._present(token.holder, via=VIA_TOKEN)
        if found is None or token.scopes is None:
            return found
        return msgspec.structs.replace(found, scopes=frozenset(token.scopes))

    async def by_proxy(self, name: str, roles: tuple[str, ...] | None, *, via: str, address: str) -> Principal | None:
        """Whom a trusted proxy names; `roles` None: those that are known here. None: that can't be a person's name."""
        if not identities.is_name(name) or await self.identities.any_service_account(name) is not None:
            return None
        person = await self.identities.person(name)
        if person is not None and person.is_disabled:
            return None
        known = person.roles if person is not None else ()
        found = Principal(
            name=person.name if person is not None else name,
            roles=frozenset(map(role_name, known if roles is None else roles)) - {""},
            via=via,
        )
        await self._tell_coming(found, address=address)
        return found

    async def by_access_token(self, token: str, *, address: str) -> Principal | None:
        """Whose access token of the provider this is; None: nobody's. Raises Refused as `by_provider`, and (429) after too many."""
        if self.provider is None:
            return None
        guess = f"token {credentials.id_of(token)}"
        self._token_guesses.check(guess, address)
        foreign = await self.provider.by_access_token(token)
        if foreign is None:
            self._token_guesses.was_wrong(guess, address)
            return None
        found = msgspec.structs.replace(await self.by_provider(foreign, address=address), via=VIA_ACCESS_TOKEN)
        await self._tell_coming(found, address=address)
        return found

    async def _tell_coming(self, found: Principal, *, address: str) -> None:
        """Of who has no session here: once in the time that one would last."""
        now, key = self._clock.now(), f"{found.via}:{found.name}"
        if self._told.get(key, now) <= now:
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told[key] = now + timedelta(seconds=self.settings.session_seconds)
            await self._tell("sign_in.done", found.name, {"via": found.via, "address": address})

    async def by_provider(self, found: ForeignPerson, *, address: str) -> Principal:
        """Whom the provider has signed in: made a person here when they first come, with its roles from then on.

        Raises Refused (403) where the name is somebody else's, can't be one, or the person is disabled.
        """
        before = await self.identities.person(found.name)
        try:
            person = await self._brought(found, before)
        except Refused as refused:
            why = str(refused.problems[0])
            await self._tell("sign_in.refused", found.name[:100], {"via": found.source, "address": address, "why": why})
            raise
        if before is None or before.roles != person.roles:
            details: JsonObject = {"before": _facts(before) if before else None, "after": _facts(person)}
            action = "person.added" if before is None else "person.changed"
            await self._tell(action, found.source, details, subject=f"person:{person.name}")
        return _principal(person, via=found.source)

    async def by_session(self, secret: str) -> Principal | None:
        """None: there is no such session, or it is over."""
        session = await self._credentials.session(secret) if secret else None
        return None if session is None else await self._present(session.person, via=VIA_SESSION)

    async def open_session(self, principal: Principal, *, address: str) -> str:
        """The secret for the cookie."""
        lives = timedelta(seconds=self.settings.session_seconds)
        secret = await self._credentials.open_session(principal.name, lives=lives)
        await self._tell("sign_in.done", principal.name, {"via": principal.via, "address": address})
        return secret

    async def close_session(self, principal: Principal, secret: str) -> None:
        """Signing out."""
        await self._credentials.close_session(secret)
        await self._tell("sign_in.ended", principal.name, {})

    async def add_person(self, name: str, password: str, roles: tuple[str, ...], *, by: Principal) -> Person:
        """Raises Refused."""
        hashed = await self._passwords.hashed(password)
        person = Person(name=name, roles=roles, password=hashed, since=self._clock.now())
        saved = await self.identities.add_person(person)
        await self._tell("person.added", by.name, {"roles": list[Json](saved.roles)}, subject=f"person:{saved.name}")
        return saved

    async def change_password(self, person: Person, password: str, *, by: Principal) -> Person:
        """Ends all sessions of the person. Raises Refused (409 where somebody has changed them meanwhile)."""
        hashed = await self._passwords.hashed(password)
        after = msgspec.structs.replace(person, password=hashed)
        saved = await self.identities.change_person(after, before=person)
        await self._credentials.close_sessions_of(person.name)
        await self._tell("person.password_changed", by.name, {}, subject=f"person:{person.name}")
        return saved

    async def change_person(self, person: Person, *, before: Person, by: Principal) -> Person:
        """Roles, or whether the person may sign in; a disabled one's sessions end. Raises Refused (409) as above."""
        saved = await self.identities.change_person(person, before=before)
        if saved.is_disabled:
            await self._credentials.close_sessions_of(person.name)
        details: JsonObject = {"before": _facts(before), "after": _facts(saved)}
        await self._tell("person.changed", by.name, details, subject=f"person:{person.name}")
        return saved

    async def save_service_account(
        self,
        name: str,
        roles: tuple[str, ...],
        *,
        is_disabled: bool,
        by: Principal,
        check: Callable[[ServiceAccount | None], None] = lambda _: None,
    ) -> ServiceAccount:
        """Makes or changes one. Raises Refused where the name can't be one, is a person's, or what `check` finds in what there is."""
        before = await self.identities.any_service_account(name)
        check(before)
        account = before or ServiceAccount(name=name, since=self._clock.now())
        account = msgspec.structs.replace(account, roles=roles, is_disabled=is_disabled)
        saved = (
            await self.identities.add_service_account(account)
            if before is None
            else await self.identities.change_service_account(account, before=before)
        )
        details: JsonObject = {"before": _facts(before) if before else None, "after": _facts(saved)}
        await self._tell("service_account.saved", by.name, details, subject=f"service-account:{saved.name}")
        return saved

    async def new_token(self, token: Token, *, by: Principal) -> str:
        """The secret, shown once. Raises Refused where it would live too long, or may not be made."""
        lives = _SERVICE_TOKEN_LIVES if token.is_service_account else timedelta(days=self.settings.token_days)
        if not timedelta() < token.until - self._clock.now() <= lives:
            raise Refused(_lifetime(lives))
        secret = await self._credentials.new_token(token)
        details: JsonObject = {
            "name": token.name,
            "scopes": None if token.scopes is None else list[Json](map(str, token.scopes)),
            "until": token.until.isoformat(),
        }
        await self._tell("token.made", by.name, details, subject=f"holder:{token.holder}")
        return secret

    async def tokens_of(self, holder: str) -> tuple[Token, ...]:
        """Of a person or service account."""
        return tuple(one for one in await self._credentials.tokens() if one.holder.lower() == holder.lower())

    async def tokens(self) -> tuple[Token, ...]:
        """Everybody's."""
        return await self._credentials.tokens()

    async def revoke(self, token: Token, *, by: Principal) -> None:
        """At once."""
        await self._credentials.revoke(token.id)
        await self._tell("token.revoked", by.name, {"name": token.name}, subject=f"holder:{token.holder}")

    async def refused(self, principal: Principal, problem: Problem, *, subject: str) -> None:
        """Records that somebody was kept from something."""
        await self._tell("access.refused", principal.name, {"why": problem.message}, subject=subject)

    async def _brought(self, found: ForeignPerson, before: Person | None) -> Person:
        if before is None:
            new = Person(
                name=found.name,
                roles=found.roles or (),
                source=found.source,
                subject=found.subject,
                since=self._clock.now(),
            )
            return await self.identities.add_person(new)
        if (before.source, before.subject) != (found.source, found.subject):
            raise Refused(_somebody_elses(before.name), status=403)
        if before.is_disabled:
            raise Refused(_disabled(before.name), status=403)
        if found.roles is None or set(map(role_name, found.roles)) - {""} == set(before.roles):
            return before
        return await self.identities.change_person(msgspec.structs.replace(before, roles=found.roles), before=before)

    async def _present(self, name: str, *, via: str) -> Principal | None:
        person = await self.identities.person(name)
        return None if person is None or person.is_disabled else _principal(person, via=via)

    async def _tell(self, action: str, actor: str, details: JsonObject, *, subject: str = "") -> None:
        entry = AuditEntry(
            at=self._clock.now(), actor=actor, action=action, subject=subject or f"person:{actor}", details=details
        )
        await self._audit.record(entry)


def scopes_of(names: list[str]) -> tuple[Right, ...]:
    """Raises Refused where one is no right."""
    try:
        return tuple(dict.fromkeys(Right(one.upper()) for one in names))
    except ValueError as error:
        raise Refused(
            Problem(
                code="token.scope",
                message=f"{error}.",
                remedy=f"Scopes are {', '.join(Right)}.",
                pointer="/scopes",
            )
        ) from error


def _principal(person: Person, *, via: str) -> Principal:
    return Principal(name=person.name, roles=frozenset(person.roles), via=via)


def _facts(person: Person | ServiceAccount) -> JsonObject:
    return {"roles": list[Json](person.roles), "isDisabled": person.is_disabled}


def _wrong() -> Problem:
    return Problem(
        code="sign_in.wrong",
        message="Name or password are wrong.",
        remedy="Try again, or ask an administrator to set a new password.",
    )


def _somebody_elses(name: str) -> Problem:
    return Problem(
        code="sign_in.name_taken",
        message=f"There is another {name!r} here, who doesn't sign in by this provider's account.",
        remedy="Have an administrator choose who shall have the name: at the provider, or by another `name-claim` of the settings.",
    )


def _disabled(name: str) -> Problem:
    return Problem(
        code="sign_in.disabled",
        message=f"{name!r} may not sign in here.",
        remedy="Ask an administrator.",
    )


def _lifetime(lives: timedelta) -> Problem:
    return Problem(
        code="token.lifetime",
        message=f"The token's end must lie in the future, at most {lives.days} days from now.",
        remedy="Give an earlier expiresAt.",
        pointer="/expiresAt",
    )
