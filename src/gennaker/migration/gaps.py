"""Gaps: what of an imported definition is not here, or would behave otherwise, each with what to do about it.

What would be said of a pipeline that is saved (validation) comes from there; here is what only an import has to ask: are
the accounts, CI systems, notifiers and identities there that the other installation had.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from gennaker.canary import lint
from gennaker.canary.findings import Severity
from gennaker.migration import foreseeing
from gennaker.model import application_notifications, cron_expressions, foreign, pointers, trigger_keys, trigger_secrets
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem

_ACCOUNT_KEYS = ("account", "credentials")
_ARTIFACT_ACCOUNT = "artifactAccount"
_BUILT_IN_ARTIFACTS = frozenset({"embedded-artifact", "front50ArtifactCredentials", "custom-artifact"})
"""Accounts that every Spinnaker has, of artifacts that hold their content or that nothing fetches."""
_BUILDS = ("jenkins", "travis", "concourse", "gitlab-ci", "wercker")


class Weight(StrEnum):
    """What a gap means."""

    REFUSED = "refused"
    """The definition was not stored."""
    STOPS = "stops"
    """It is stored; a run of it would stop there."""
    DIFFERS = "differs"
    """It runs, and something is otherwise."""
    NOTE = "note"
    """To be known."""


class Gap(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is not here."""

    weight: Weight
    code: str
    kind: str
    """Of the definition: `pipeline`, `application` …"""
    application: str = ""
    name: str = ""
    pointer: str = ""
    message: str
    remedy: str = ""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What this installation has."""

    accounts: frozenset[str] = frozenset()
    registries: frozenset[str] = frozenset()
    artifact_accounts: frozenset[str] = frozenset()
    ci: frozenset[str] = frozenset()
    notifiers: frozenset[str] = frozenset()
    query_types: frozenset[str] = frozenset()
    service_accounts: frozenset[str] = frozenset()
    """In lower case."""
    roles: frozenset[str] = frozenset()
    """That anybody has."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The definition of which gaps are told."""

    kind: str
    application: str = ""
    name: str = ""

    def gap(self, weight: Weight, problem: Problem) -> Gap:
        """A problem as a gap of it."""
        return Gap(
            weight=weight,
            code=problem.code,
            kind=self.kind,
            application=self.application,
            name=self.name,
            pointer=problem.pointer,
            message=problem.message,
            remedy=problem.remedy,
        )


def subject_of(kind: str, definition: JsonObject) -> Subject:
    """A definition by its names."""
    name = foreign.text_at(definition, "name") or foreign.text_at(definition, "id")
    application = name if kind == "application" else foreign.text_at(definition, "application")
    return Subject(kind=kind, application=application.lower(), name=name)


def of_pipeline(pipeline: JsonObject, known: Known) -> Iterator[Gap]:
    """Of a pipeline or strategy."""
    subject = subject_of("strategy" if foreign.flag(pipeline.get("strategy")) else "pipeline", pipeline)
    for place, trigger in enumerate(foreign.items(pipeline.get("triggers"))):
        for problem in _of_trigger(foreign.mapping(trigger), f"/triggers/{place}", known):
            yield subject.gap(Weight.DIFFERS, problem)
    for place, stage in enumerate(foreign.items(pipeline.get("stages"))):
        for problem in _of_stage(foreign.mapping(stage), f"/stages/{place}", known):
            yield subject.gap(Weight.STOPS, problem)
        for problem in _of_notifications(foreign.mapping(stage), f"/stages/{place}", known):
            yield subject.gap(Weight.DIFFERS, problem)
    for problem in _of_notifications(pipeline, "", known):
        yield subject.gap(Weight.DIFFERS, problem)
    for problem in foreseeing.of_document(pipeline):
        yield subject.gap(Weight.DIFFERS, problem)
    if foreign.flag(pipeline.get("respectQuietPeriod")):
        yield subject.gap(Weight.NOTE, _QUIET)
    if roles := [str(one) for one in foreign.items(pipeline.get("roles"))]:
        yield subject.gap(Weight.DIFFERS, _managed(roles))


def of_application(application: JsonObject, known: Known) -> Iterator[Gap]:
    """Of an application's attributes."""
    subject = subject_of("application", application)
    for name in _names(application.get("accounts")):
        if name not in known.accounts | known.registries:
            yield subject.gap(Weight.NOTE, _no_account(name, "/accounts"))
    permissions = foreign.mapping(application.get("permissions"))
    named = {str(one).strip().lower() for listed in permissions.values() for one in foreign.items(listed)}
    for role in sorted(named - known.roles):
        yield subject.gap(Weight.NOTE, _nobody(role))
    for key, problem in _OTHERWISE.items():
        if application.get(key):
            yield subject.gap(Weight.DIFFERS, msgspec.structs.replace(problem, pointer=f"/{key}"))


def of_canary_config(config: JsonObject, known: Known) -> Iterator[Gap]:
    """Of a canary config."""
    subject = subject_of("canary-config", config)
    for found in lint.lint(config, query_types=lint.QUERY_TYPES | known.query_types):
        yield subject.gap(Weight.STOPS if found.severity is Severity.ERROR else Weight.DIFFERS, found.problem)
    for place, metric in enumerate(foreign.items(config.get("metrics"))):
        kind = foreign.text_at(foreign.mapping(metric).get("query"), "type")
        if kind in lint.QUERY_TYPES - known.query_types:
            problem = Problem(
                code="metrics.missing",
                message=f"There is no source of {kind} metrics here.",
                remedy="Set one up, or let the metric be read from one that there is.",
                pointer=f"/metrics/{place}/query/type",
            )
            yield subject.gap(Weight.STOPS, problem)


def of_notifications(notifications: JsonObject, known: Known) -> Iterator[Gap]:
    """Of an application's own notifications."""
    name = foreign.text_at(notifications, "application")
    subject = Subject(kind=application_notifications.KIND, application=name.lower(), name=name)
    listed: list[Json] = [*application_notifications.listed(notifications)]
    for problem in _of_notifications({"notifications": listed}, "", known):
        kind = foreign.text_at(listed[int(problem.pointer.rpartition("/")[2])], "type")
        yield subject.gap(Weight.DIFFERS, msgspec.structs.replace(problem, pointer=f"/{pointers.escaped(kind)}"))


def _of_trigger(trigger: JsonObject, pointer: str, known: Known) -> Iterator[Problem]:
    kind = foreign.text_at(trigger, "type")
    unserved = trigger_keys.never_fires(kind, f"{pointer}/type")
    if unserved is not None:
        yield unserved
    if kind == "cron" and cron_expressions.is_fuzzy(foreign.text_at(trigger, "cronExpression")):
        yield Problem(
            code="trigger.cron_chosen",
            message="`H` in its expression stands for another number here than there.",
            remedy="Write a number where the time matters.",
            pointer=f"{pointer}/cronExpression",
        )
    master = foreign.text_at(trigger, "master")
    if kind in _BUILDS and master and master not in known.ci:
        yield _no_master(master, f"{pointer}/master")
    account = foreign.text_at(trigger, "account")
    if kind == "docker" and account and account not in known.registries:
        yield _no_account(account, f"{pointer}/account", "docker registry account")
    user = foreign.text_at(trigger, "runAsUser").strip()
    if user and user.lower() not in known.service_accounts:
        yield Problem(
            code="trigger.run_as",
            message=f"It runs as the service account {user!r}, which isn't here: it would run without roles.",
            remedy="Make it under `/api/v1/service-accounts`, with the roles that it had.",
            pointer=f"{pointer}/runAsUser",
        )
    if trigger.get("secret") == trigger_secrets.MASK:
        yield Problem(
            code="trigger.secret_masked",
            message="Its secret was masked where it was read, so the trigger stays off, at the cut-over as well.",
            remedy="Give the secret anew and switch the trigger on.",
            pointer=f"{pointer}/secret",
        )


def _of_stage(stage: JsonObject, pointer: str, known: Known) -> Iterator[Problem]:
    kind = foreign.text_at(stage, "type")
    for given, where in _targets(stage, pointer):
        for key in _ACCOUNT_KEYS:
            name = foreign.text_at(given, key)
            if name and "${" not in name and name not in known.accounts | known.registries:
                yield _no_account(name, f"{where}/{key}")
    master = foreign.text_at(stage, "master")
    if kind in _BUILDS and master and "${" not in master and master not in known.ci:
        yield _no_master(master, f"{pointer}/master")
    for name, where in (*_artifact_accounts(stage, pointer), *_input_accounts(stage, pointer)):
        if name not in known.artifact_accounts | known.registries | _BUILT_IN_ARTIFACTS:
            yield _no_account(name, where, "artifact account")


def _targets(stage: JsonObject, pointer: str) -> Iterator[tuple[JsonObject, str]]:
    yield stage, pointer
    for place, one in enumerate(foreign.items(stage.get("clusters"))):
        if isinstance(one, dict):
            yield one, f"{pointer}/clusters/{place}"


def _artifact_accounts(value: Json, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            where = f"{pointer}/{pointers.escaped(key)}"
            if key.endswith((_ARTIFACT_ACCOUNT, "ArtifactAccount")) and isinstance(inner, str):
                if inner and "${" not in inner:
                    yield inner, where
            else:
                yield from _artifact_accounts(inner, where)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _artifact_accounts(inner, f"{pointer}/{place}")


def _input_accounts(stage: JsonObject, pointer: str) -> Iterator[tuple[str, str]]:
    """Of what bakeManifest renders: by which account it is read stands there as `account` alone."""
    for place, one in enumerate(foreign.items(stage.get("inputArtifacts"))):
        name = foreign.text_at(one, "account")
        if name and "${" not in name:
            yield name, f"{pointer}/inputArtifacts/{place}/account"


def _of_notifications(owner: JsonObject, pointer: str, known: Known) -> Iterator[Problem]:
    for place, one in enumerate(foreign.items(owner.get("notifications"))):
        kind = foreign.text_at(one, "type")
        if kind and kind not in known.notifiers:
            offered = ", ".join(sorted(known.notifiers)) or "none"
            yield Problem(
                code="notification.unknown_type",
                message=f"Notifications of the type {kind!r} are not sent here.",
                remedy=f"There are: {offered}.",
                pointer=f"{pointer}/notifications/{place}",
            )


def _names(value: Json) -> list[str]:
    listed: Iterable[Json] = value.split(",") if isinstance(value, str) else foreign.items(value)
    return [name for one in listed if (name := str(one).strip())]


def _no_account(name: str, pointer: str, what: str = "account") -> Problem:
    return Problem(
        code="account.missing",
        message=f"There is no {what} {name!r} here.",
        remedy="Add it to the settings under this name, or change the name.",
        pointer=pointer,
    )


def _no_master(name: str, pointer: str) -> Problem:
    return Problem(
        code="ci.missing",
        message=f"There is no CI system {name!r} here.",
        remedy=f"Add it to the settings as `ci.{name}`.",
        pointer=pointer,
    )


def _nobody(role: str) -> Problem:
    return Problem(
        code="role.nobody",
        message=f"Nobody here has the role {role!r}, which its permissions name.",
        remedy="Give it to people or service accounts, or have the sign-in bring it.",
        pointer="/permissions",
    )


def _managed(roles: list[str]) -> Problem:
    return Problem(
        code="pipeline.roles",
        message=f"Its triggers would run with the roles {', '.join(roles)} by a service account that Spinnaker makes itself.",
        remedy="Make a service account with these roles and name it as `runAsUser` in the triggers.",
        pointer="/roles",
    )


_QUIET = Problem(
    code="pipeline.quiet_period",
    message="It respects Spinnaker's quiet period, which isn't offered: its triggers always fire.",
    remedy="Use execution windows in its stages.",
    pointer="/respectQuietPeriod",
)
_OTHERWISE = {
    "customBanners": Problem(code="application.banners", message="Its custom banners are kept, and not shown."),
}
"""Attributes that are kept, and not heeded."""
