"""Signing in: turns what a request brings (password, token, session, what a proxy has checked) into a principal.

Every success and refusal is audited; a principal's roles are those of the moment.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from gennaker.access import credentials, identities
from gennaker.access.credentials import Credentials, Token
from gennaker.access.guesses import Guesses
from gennaker.access.identities import Identities, Person, ServiceAccount
from gennaker.access.passwords import Passwords
from gennaker.access.refusals import Refusals, sender_of
from gennaker.interfaces.audit import AuditTrail
from gennaker.interfaces.clock import Clock
from gennaker.interfaces.documents import Documents
from gennaker.interfaces.identity_providers import ForeignPerson, IdentityProvider, PasswordDirectory
from gennaker.model.audit import AuditEntry
from gennaker.model.codec import Json, JsonObject
from gennaker.model.permissions import Right, role_name
from gennaker.model.principal import ANONYMOUS, Principal
from gennaker.model.problems import Problem, Refused
from gennaker.settings import SignInSettings

VIA_SESSION, VIA_TOKEN, VIA_ACCESS_TOKEN = "page", "api", "access-token"
_MOST_TOLD = 10_000
"""Names of whom it is remembered that their coming was told to the audit."""
_SERVICE_TOKEN_LIVES = timedelta(days=365)
_OF_ACCESS = frozenset({401, 403})
_WRONG_TOKEN = Problem(
    code="sign_in.token",
    message="The token is nobody's, has run out, or is of somebody who may no longer sign in.",
    remedy="Make a new one.",
)
_NO_PERSON = Problem(
    code="sign_in.no_person",
    message="The proxy names somebody whose name can't be a person's, or is a service account's.",
    remedy="Look at what the proxy sends.",
)


class SignIn:
    """People, service accounts and what they sign in with."""

    def __init__(  # noqa: PLR0913 - given by name, in one place
        self,
        *,
        people: Identities,
        documents: Callable[[str], Documents],
        passwords: Passwords,
        audit: AuditTrail,
        refusals: Refusals,
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
        self._refusals = refusals
        self._clock = clock
        self._told: dict[str, datetime] = {}

    async def by_password(self, name: str, password: str, *, address: str, via: str) -> Principal:
        """Raises Refused: 401 where name or password are wrong, without saying which; 429 after too many."""
        try:
            return await self._by_password(name, password, address=address, via=via)
        except Refused as refused:
            await self.turned_away(name, refused, via=via, address=address)
            raise

    async def turned_away(self, name: str, refused: Refused, *, via: str, address: str) -> None:
        """Records that somebody who called themselves so didn't get in."""
        if refused.is_recorded:
            return
        refused.is_recorded = True
        problem = refused.problems[0]
        await self._tell_turned_away(name, problem, via=via, address=address)

    async def _tell_turned_away(self, name: str, problem: Problem, *, via: str, address: str, **more: Json) -> None:
        details: JsonObject = {"via": via, "address": address, "why": problem.message, "code": problem.code, **more}
        entry = self._entry("sign_in.refused", name[:100], details)
        await self._refusals.tell(entry, sender=sender_of(ANONYMOUS, address))

    async def _by_password(self, name: str, password: str, *, address: str, via: str) -> Principal:
        self._guesses.check(name.lower(), address)
        person = await self.identities.person(name)
        foreign = await self._in_directory(name, password, person)
        if foreign is not None:
            self._guesses.was_right(name.lower(), address)
            return await self.by_provider(foreign, address=address)
        kept = None if person is None or person.is_disabled else person.password
        if not await self._passwords.is_right(kept, password) or person is None:
            self._guesses.was_wrong(name.lower(), address)
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

    async def by_token(self, secret: str, *, address: str) -> Principal | None:
        """As `of_token`; that it is nobody's is recorded."""
        found = await self.of_token(secret)
        if found is None and secret.startswith(credentials.PREFIX):
            await self.wrong_token(secret, address=address)
        return found

    async def wrong_token(self, secret: str, *, address: str) -> None:
        """Records that somebody came with a token that is nobody's, and that nothing else has let them in."""
        is_ours = secret.startswith(credentials.PREFIX)
        via, token = VIA_TOKEN if is_ours else VIA_ACCESS_TOKEN, credentials.id_of(secret)
        await self._tell_turned_away(ANONYMOUS.name, _WRONG_TOKEN, via=via, address=address, token=token)

    async def of_token(self, secret: str) -> Principal | None:
        """None: nobody's, too old, or of somebody who may no longer sign in."""
        token = await self._credentials.token(secret)
        if token is None:
            return None
        if token.is_service_account:
            account = await self.identities.service_account(token.holder)
            roles = frozenset(account.roles if account else ())
            found = (
                None
                if account is None
                else Principal(name=account.name, roles=roles, via=VIA_TOKEN, behind=token.made_by)
            )
        else:
            found = await self._present(token.holder, via=VIA_TOKEN)
        if found is None or token.scopes is None:
            return found
        return msgspec.structs.replace(found, scopes=frozenset(token.scopes))

    async def by_proxy(self, name: str, roles: tuple[str, ...] | None, *, via: str, address: str) -> Principal | None:
        """Whom a trusted proxy names; `roles` None: those that are known here. None: that can't be a person's name."""
        if not identities.is_name(name) or await self.identities.any_service_account(name) is not None:
            await self._tell_turned_away(name, _NO_PERSON, via=via, address=address)
            return None
        person = await self.identities.person(name)
        if person is not None and person.is_disabled:
            await self._tell_turned_away(name, _disabled(person.name), via=via, address=address)
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
        try:
            foreign = None if self.provider is None else await self._of_access_token(self.provider, token, address)
        except Refused as refused:
            await self.turned_away(ANONYMOUS.name, refused, via=VIA_ACCESS_TOKEN, address=address)
            raise
        if foreign is None:
            return None
        found = msgspec.structs.replace(await self.by_provider(foreign, address=address), via=VIA_ACCESS_TOKEN)
        await self._tell_coming(found, address=address)
        return found

    async def _of_access_token(self, provider: IdentityProvider, token: str, address: str) -> ForeignPerson | None:
        guess = f"token {credentials.id_of(token)}"
        self._token_guesses.check(guess, address)
        foreign = await provider.by_access_token(token)
        if foreign is None:
            self._token_guesses.was_wrong(guess, address)
        return foreign

    async def _tell_coming(self, found: Principal, *, address: str) -> None:
        """Of who has no session here."""
        details: JsonObject = {"via": found.via, "address": address}
        key = f"{found.via}:{found.name}"
        # Once in the time that a session would last: programs send their credentials with each request.
        now = self._clock.now()
        if self._told.get(key, now) <= now:
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told[key] = now + timedelta(seconds=self.settings.session_seconds)
            await self._audit.record(self._entry("sign_in.done", found.name, details))

    async def by_provider(self, found: ForeignPerson, *, address: str) -> Principal:
        """Whom the provider has signed in: made a person here when they first come, with its roles from then on.

        Raises Refused (403) where the name is somebody else's, can't be one, or the person is disabled.
        """
        try:
            person = await self._brought(found, await self.identities.person(found.name))
        except Refused as refused:
            await self.turned_away(found.name, refused, via=found.source, address=address)
            raise
        return _principal(person, via=found.source)

    async def by_session(self, secret: str) -> Principal | None:
        """None: there is no such session, or it is over."""
        session = await self._credentials.session(secret) if secret else None
        return None if session is None else await self._present(session.person, via=VIA_SESSION)

    async def open_session(self, principal: Principal, *, address: str) -> str:
        """The secret for the cookie."""
        lives = timedelta(seconds=self.settings.session_seconds)
        entry = self._entry("sign_in.done", principal.name, {"via": principal.via, "address": address})
        return await self._credentials.open_session(principal.name, lives=lives, audit=(entry,))

    async def close_session(self, principal: Principal, secret: str) -> None:
        """Signing out."""
        await self._credentials.close_session(secret, audit=(self._entry("sign_in.ended", principal.name, {}),))

    async def add_person(self, name: str, password: str, roles: tuple[str, ...], *, by: Principal) -> Person:
        """Raises Refused."""
        hashed = await self._passwords.hashed(password)
        person = identities.cleaned(Person(name=name, roles=roles, password=hashed, since=self._clock.now()))
        entry = self._entry("person.added", by.name, {"roles": list[Json](person.roles)}, subject=f"person:{name}")
        return await self.identities.add_person(person, audit=(entry,))

    async def change_password(self, person: Person, password: str, *, by: Principal) -> Person:
        """Ends all sessions of the person. Raises Refused (409 where somebody has changed them meanwhile)."""
        hashed = await self._passwords.hashed(password)
        after = msgspec.structs.replace(person, password=hashed)
        entry = self._entry("person.password_changed", by.name, {}, subject=f"person:{person.name}")
        saved = await self.identities.change_person(after, before=person, audit=(entry,))
        await self._credentials.close_sessions_of(person.name)
        return saved

    async def change_person(self, person: Person, *, before: Person, by: Principal) -> Person:
        """Roles, or whether the person may sign in; a disabled one's sessions end. Raises Refused (409) as above."""
        person = identities.cleaned(person)
        details: JsonObject = {"before": _facts(before), "after": _facts(person)}
        entry = self._entry("person.changed", by.name, details, subject=f"person:{person.name}")
        saved = await self.identities.change_person(person, before=before, audit=(entry,))
        if saved.is_disabled:
            await self._credentials.close_sessions_of(person.name)
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
        account = identities.cleaned(msgspec.structs.replace(account, roles=roles, is_disabled=is_disabled))
        details: JsonObject = {"before": _facts(before) if before else None, "after": _facts(account)}
        entry = self._entry("service_account.saved", by.name, details, subject=f"service-account:{account.name}")
        if before is None:
            return await self.identities.add_service_account(account, audit=(entry,))
        return await self.identities.change_service_account(account, before=before, audit=(entry,))

    def longest_token(self, *, is_service_account: bool) -> timedelta:
        """So long a token may live."""
        return _SERVICE_TOKEN_LIVES if is_service_account else timedelta(days=self.settings.token_days)

    async def new_token(self, token: Token, *, by: Principal) -> str:
        """The secret, shown once. Raises Refused where it would live too long, or may not be made."""
        lives = self.longest_token(is_service_account=token.is_service_account)
        if not timedelta() < token.until - self._clock.now() <= lives:
            raise Refused(_lifetime(lives))
        details: JsonObject = {
            "name": token.name,
            "scopes": None if token.scopes is None else list[Json](map(str, token.scopes)),
            "until": token.until.isoformat(),
        }
        entry = self._entry("token.made", by.name, details, subject=f"holder:{token.holder}")
        return await self._credentials.new_token(token, audit=(entry,))

    async def tokens_of(self, holder: str) -> tuple[Token, ...]:
        """Of a person or service account."""
        return tuple(one for one in await self._credentials.tokens() if one.holder.lower() == holder.lower())

    async def tokens(self) -> tuple[Token, ...]:
        """Everybody's."""
        return await self._credentials.tokens()

    async def revoke(self, token: Token, *, by: Principal) -> None:
        """At once."""
        entry = self._entry("token.revoked", by.name, {"name": token.name}, subject=f"holder:{token.holder}")
        await self._credentials.revoke(token.id, audit=(entry,))

    def unread(self, code: str, why: str, address: str) -> None:
        """Records that something was refused before anybody could read it as a request."""
        details: JsonObject = {"why": why, "code": code, "address": address}
        entry = self._entry("request.refused", ANONYMOUS.name, details, subject="connection")
        self._refusals.note(entry, sender=sender_of(ANONYMOUS, address))

    async def refused(
        self, principal: Principal, problem: Problem, *, subject: str, address: str = "", status: int = 403
    ) -> None:
        """Records that somebody was kept from something, or that what nobody should send was not taken."""
        details: JsonObject = {"why": problem.message, "code": problem.code, "status": status, "address": address}
        action = "access.refused" if status in _OF_ACCESS else "request.refused"
        entry = self._entry(action, principal.name, details, subject=subject)
        await self._refusals.tell(entry, sender=sender_of(principal, address))

    async def _brought(self, found: ForeignPerson, before: Person | None) -> Person:
        if before is None:
            new = Person(
                name=found.name,
                roles=found.roles or (),
                source=found.source,
                subject=found.subject,
                since=self._clock.now(),
            )
            return await self.identities.add_person(new, audit=(self._of_provider(new, None),))
        if (before.source, before.subject) != (found.source, found.subject):
            raise Refused(_somebody_elses(before.name), status=403)
        if before.is_disabled:
            raise Refused(_disabled(before.name), status=403)
        if found.roles is None or set(map(role_name, found.roles)) - {""} == set(before.roles):
            return before
        after = msgspec.structs.replace(before, roles=found.roles)
        return await self.identities.change_person(after, before=before, audit=(self._of_provider(after, before),))

    def _of_provider(self, after: Person, before: Person | None) -> AuditEntry:
        after = identities.cleaned(after)
        details: JsonObject = {"before": _facts(before) if before else None, "after": _facts(after)}
        action = "person.added" if before is None else "person.changed"
        return self._entry(action, after.source, details, subject=f"person:{after.name}")

    async def _present(self, name: str, *, via: str) -> Principal | None:
        person = await self.identities.person(name)
        return None if person is None or person.is_disabled else _principal(person, via=via)

    def _entry(self, action: str, actor: str, details: JsonObject, *, subject: str = "") -> AuditEntry:
        subject = subject or f"person:{actor}"
        return AuditEntry(at=self._clock.now(), actor=actor, action=action, subject=subject, details=details)


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
