"""Accounts: the API servers of the settings, and what each account may touch."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from gennaker.interfaces.api_servers import ApiServer
from gennaker.interfaces.services import Services
from gennaker.kubernetes_settings import CustomResourceSettings, KubernetesAccountSettings
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem, Refused
from gennaker.plugins.kubernetes import kinds, leaving, manifests, questions
from gennaker.plugins.kubernetes.kinds import CustomKinds, Kind, Properties, SpinnakerKind
from gennaker.plugins.kubernetes.readiness import Rule
from gennaker.transport.kubernetes import kubeconfig
from gennaker.transport.kubernetes.kubeconfig import Access
from gennaker.transport.kubernetes.server import HttpApiServer

_PROVIDER = "kubernetes"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account as stages use it."""

    name: str
    server: ApiServer
    settings: KubernetesAccountSettings
    custom: CustomKinds
    readiness: Mapping[str, Rule] = {}
    """By kind's key."""

    def namespace_problem(self, namespace: str) -> Problem | None:
        """Why it may not touch this namespace. What has none at all isn't in one."""
        only, but = self.settings.namespaces, self.settings.omit_namespaces
        if not namespace or self.settings.allows(namespace):
            return None
        allowed = f"It may use {', '.join(only)}." if only else f"It may use all but {', '.join(but)}."
        return Problem(
            code="kubernetes.namespace",
            message=f"The account {self.name} may not use the namespace {namespace!r}.",
            remedy=f"{allowed} The setting is kubernetes.{self.name}.{'namespaces' if only else 'omit-namespaces'}.",
        )

    def kind_problem(self, kind: Kind) -> Problem | None:
        """Why it may not touch objects of this kind."""
        only = {kinds.parse(one).key for one in self.settings.kinds}
        but = {kinds.parse(one).key for one in self.settings.omit_kinds}
        if kind.key not in but and (not only or kind.key in only):
            return None
        return Problem(
            code="kubernetes.kind",
            message=f"The account {self.name} may not use objects of the kind {kind}.",
            remedy=f"The setting is kubernetes.{self.name}.{'kinds' if only else 'omit-kinds'}.",
        )

    def check(self, kind: Kind, namespace: str) -> None:
        """Raises Refused where the account may not touch such an object."""
        problems = [one for one in (self.kind_problem(kind), self.namespace_problem(namespace)) if one is not None]
        if problems:
            raise Refused(*problems, status=403)

    @property
    def managed_by(self) -> str:
        """Value of the label `app.kubernetes.io/managed-by`."""
        suffix = self.settings.managed_by_suffix
        return f"spinnaker-{suffix}" if suffix else "spinnaker"


@runtime_checkable
class _Kept(Protocol):
    """An API server that wants to be kept."""

    async def keep(self) -> None:
        """Until cancelled."""
        ...


def find(services: Services, name: str) -> Account:
    """The account of this name. Raises Refused."""
    server, settings = services.api_servers.get(name), services.settings.kubernetes.get(name)
    if server is None or settings is None:
        there = ", ".join(sorted(services.settings.kubernetes)) or "none"
        raise Refused(
            Problem(
                code="kubernetes.account",
                message=f"There is no Kubernetes account {name!r}." if name else "The stage names no account.",
                remedy=f"There are: {there}. Accounts are settings: [kubernetes.NAME].",
                pointer="/account",
            )
        )
    told = settings.custom_resources
    return Account(name=name, server=server, settings=settings, custom=_custom(told), readiness=_rules(name, told))


def all_of(services: Services) -> dict[str, Account]:
    """All accounts by name."""
    return {name: find(services, name) for name in services.settings.kubernetes if name in services.api_servers}


def of_settings(services: Services) -> tuple[ApiServer, ...]:
    """An API server for each account; none is asked yet."""
    return tuple(
        HttpApiServer(
            name,
            _access(settings),
            now=services.clock.now,
            timeout_seconds=settings.request_timeout_seconds,
            changed=leaving.Watcher(services.departures, name, settings).see,
        )
        for name, settings in services.settings.kubernetes.items()
    )


async def keep(services: Services) -> None:
    """Keeps the watches of all accounts, until cancelled."""
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.Event().wait())  # where there are no accounts
        for one in services.api_servers.values():
            if isinstance(one, _Kept):
                group.create_task(one.keep())


def _access(settings: KubernetesAccountSettings) -> Callable[[], Access]:
    if settings.in_cluster:
        return kubeconfig.in_cluster
    return partial(kubeconfig.from_file, Path(settings.kubeconfig_file), settings.context)


def _custom(told: tuple[CustomResourceSettings, ...]) -> CustomKinds:
    known: dict[str, Properties] = {}
    for one in told:
        priority = kinds.priority(one.deploy_priority)
        known[kinds.parse(one.kind).key] = Properties(
            spinnaker_kind=SpinnakerKind(one.spinnaker_kind),
            priority=kinds.LAST if priority is None else priority,
            is_versioned=one.versioned,
        )
    return CustomKinds(known)


def _rules(account: str, told: tuple[CustomResourceSettings, ...]) -> dict[str, Rule]:
    """Raises Refused."""
    rules: dict[str, Rule] = {}
    for place, one in enumerate(told):
        for key, query in (("ready", one.ready), ("failed", one.failed)):
            if query:
                questions.check(query, f"kubernetes.{account}.custom-resources[{place}].{key}")
        if one.ready or one.failed:
            rules[kinds.parse(one.kind).key] = Rule(ready=one.ready, failed=one.failed)
    return rules


def problems_of(account: Account, given: Mapping[int, JsonObject]) -> dict[int, list[Problem]]:
    """Everything for which manifests can't be deployed, of each that has any, with pointers."""
    found: dict[int, list[Problem]] = {}
    for place, one in given.items():
        own = [*_shape_problems(one)]
        if not own:
            kind = kinds.of(one)
            own = [
                *([] if account.custom.of(kind).is_deployable else [_not_deployable(kind)]),
                *([problem] if (problem := account.kind_problem(kind)) else []),
                *([problem] if (problem := account.namespace_problem(manifests.namespace(one))) else []),
            ]
        if own:
            pointer = f"/manifests/{place}"
            found[place] = [msgspec.structs.replace(problem, pointer=pointer + problem.pointer) for problem in own]
    return found


def _shape_problems(manifest: JsonObject) -> list[Problem]:
    found = [
        _missing(f"A manifest has no `{key}`.", f"/{key}")
        for key in ("apiVersion", "kind")
        if not foreign.text_at(manifest, key)
    ]
    if not manifests.name(manifest):
        found.append(_missing("A manifest has neither `metadata.name` nor `metadata.generateName`.", "/metadata"))
    for key in ("labels", "annotations"):
        values = manifests.metadata(manifest).get(key)
        if values is not None and not isinstance(values, dict):
            found.append(_missing(f"`{key}` must be a map.", f"/metadata/{key}"))
        elif isinstance(values, dict):
            wrong = sorted(name for name, value in values.items() if not isinstance(value, str))
            found += [_missing(f"`{name}` in {key} must be text.", f"/metadata/{key}") for name in wrong]
    return found


def _missing(message: str, pointer: str) -> Problem:
    return Problem(
        code="manifest.malformed",
        message=message,
        remedy="Correct the manifest; numbers and booleans where text is meant need quotes.",
        pointer=pointer,
    )


def _not_deployable(kind: Kind) -> Problem:
    return Problem(
        code="manifest.kind",
        message=f"Objects of the kind {kind} are made by the cluster itself.",
        remedy="Take it out.",
        pointer="/kind",
    )
