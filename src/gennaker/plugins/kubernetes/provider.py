"""The cloud provider `kubernetes`: server groups as workloads, so that every strategy runs there.

Account and region of a place are account and namespace. Traffic comes by labels: a server group that names `services` has
their selectors on its pods, and loses them while it is disabled. Live state comes from the shared watches; after a change
it is waited for until they show it, so that who has changed something sees it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from gennaker.interfaces import secrets as secrets_port
from gennaker.interfaces.clouds import Capacity, Described, Health, Job, NewJob, NewServerGroup, Place, ServerGroup
from gennaker.interfaces.registry import ImageRegistry
from gennaker.interfaces.secrets import Secrets
from gennaker.interfaces.services import Services
from gennaker.interfaces.surroundings import Networking, Workloads, networking_of, workloads_of
from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.model.problems import UNAVAILABLE, Problem, Refused
from gennaker.plugins.kubernetes import (
    accounts,
    annotations,
    asking,
    describing,
    diagnosing,
    job_runs,
    manifests,
    patience,
    quotas,
    secret_variables,
    server_group_manifests,
    traffic,
)
from gennaker.plugins.kubernetes.accounts import Account
from gennaker.plugins.kubernetes.kinds import Kind
from gennaker.plugins.kubernetes.manifests import Coordinates
from gennaker.plugins.kubernetes.namespaces import Namespaces
from gennaker.plugins.kubernetes.objects import Objects
from gennaker.plugins.kubernetes.patience import patiently, until
from gennaker.plugins.kubernetes.pod_events import PodEvents
from gennaker.plugins.kubernetes.server_group_manifests import Around
from gennaker.plugins.kubernetes.submitting import EFFECT

_POD, _SERVICE, _JOB, _SECRET = map(Kind, ("pod", "service", "job", "secret"))
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_STOPPED = "gennaker.io/stopped"
_CONFLICT, _FORBIDDEN, _NOT_FOUND = 409, 403, 404
_LOG_LINES = 20
_AT_A_TIME = 8

Found = TypeVar("Found")
Look = Callable[[Objects], Awaitable[Found]]


class KubernetesProvider:
    """All Kubernetes accounts as one cloud provider."""

    def __init__(
        self,
        known: Callable[[], Mapping[str, Account]],
        registries: Mapping[str, ImageRegistry],
        *,
        secrets: Secrets,
        now: Callable[[], datetime],
    ) -> None:
        """Images of the `registries` are looked for before anything is created; those of others the cluster pulls or not."""
        self._known = known
        self._registries = registries
        self._secrets = secrets
        self._now = now
        self._unseen: set[str] = set()
        self._namespaces = Namespaces()
        self._events = PodEvents(now)

    @classmethod
    def of(cls, services: Services) -> "KubernetesProvider":
        """The server's own."""
        known = partial(accounts.all_of, services)
        return cls(known, services.registries, secrets=services.secrets, now=services.clock.now)

    @property
    def name(self) -> str:
        """Spinnaker's `cloudProvider`."""
        return "kubernetes"

    async def places(self) -> tuple[Place, ...]:
        """Every namespace that an account may use; of an account that doesn't answer those seen last. All are asked at once."""
        known = [*self._known().values()]
        listed = await asyncio.gather(*map(self._namespaces.of, known))
        return tuple(
            Place(account=account.name, region=one)
            for account, names in zip(known, listed, strict=True)
            for one in names
        )

    async def create(self, new: NewServerGroup) -> ServerGroup:
        """Creates the workload, and the Secret that has its secret variables."""
        objects = self._objects(new.place)
        secret = await secrets_port.variables(self._secrets, new.environment, new.application)
        if secret:
            objects.account.check(_SECRET, new.place.region)
        await self._check_image(new.image)
        services = [
            await patiently(partial(_service, objects, name, new.place.region))
            for name in _names(new.provider_options.get("services"))
        ]
        manifest = server_group_manifests.made(new, objects.account, services, secret)
        there = await self._find(objects, new.place, new.name)
        if there is None:
            where = manifests.coordinates(manifest)
            await patiently(partial(describing.demand_sight, objects, _watched(objects, where)))
            await quotas.check(objects, [quotas.Wanted(manifest=manifest, count=new.needs_room_for)])
            there = await self._created(objects, new, manifest)
        if manifests.annotations(there).get(EFFECT) != new.key or manifests.metadata(there).get("deletionTimestamp"):
            raise Refused(_taken(new.name), status=_CONFLICT)
        if secret:
            await _give_secret(objects, there, secret_variables.name_of(new.name, new.key), secret)
        await _shown(objects, there)
        return server_group_manifests.group_of(there, new.place.account, Around(), at=self._now())

    async def resize(self, place: Place, name: str, capacity: Capacity) -> None:
        """The newest instances go first."""
        objects = self._objects(place)
        live = await self._demanded(objects, place, name)
        leaving = (manifests.replicas(live) or 0) - capacity.desired
        if leaving > 0:
            await self._choose_newest(objects, live, leaving)
        patch: JsonObject = {
            "metadata": {
                "annotations": {server_group_manifests.CAPACITY: server_group_manifests.capacity_text(capacity)}
            },
            "spec": {"replicas": capacity.desired},
        }
        where = manifests.coordinates(live)
        await _shown(objects, await patiently(partial(objects.patch, where, patch, merge="merge")))

    async def set_disabled(self, place: Place, name: str, *, is_disabled: bool) -> None:
        """Takes the labels by which Services find its pods, or gives them back."""
        objects = self._objects(place)
        live = await self._demanded(objects, place, name)
        where = manifests.coordinates(live)
        change = traffic.disabling if is_disabled else traffic.enabling
        for named in annotations.load_balancers(live):
            service = await patiently(partial(_service, objects, named, place.region))
            live = await self._demanded(objects, place, name)
            if operations := change(live, service):
                await patiently(partial(objects.patch, where, [*operations], merge="json"))
            await self._label_pods(objects, live, service, change)
        patch: JsonObject = {
            "metadata": {"annotations": {server_group_manifests.DISABLED: "true" if is_disabled else None}}
        }
        await _shown(objects, await patiently(partial(objects.patch, where, patch, merge="merge")))

    async def destroy(self, place: Place, name: str) -> None:
        """The workload goes once its pods have."""
        objects = self._objects(place)
        live = await self._find(objects, place, name)
        if live is None:
            return
        where = manifests.coordinates(live)
        await patiently(partial(objects.delete, where, cascade="foreground"))
        await until(partial(_is_leaving, objects, where))

    async def describe(self, application: str) -> tuple[ServerGroup, ...]:
        """As the watches have them; an account that may not list workloads has none."""
        described = await self.describe_answering(application)
        if described.missing:
            raise Refused(*described.missing.values(), status=UNAVAILABLE)
        return described.groups

    async def describe_answering(self, application: str, *, account: str = "") -> Described:
        """Asks all accounts at once: one that doesn't answer keeps the others waiting for a few seconds only."""
        found, missing = await self._seen(self._server_groups(application), account)
        return Described(groups=_in_order(found), missing=missing)

    async def describe_all(self) -> tuple[ServerGroup, ...]:
        """As `describe_answering`, of all applications. Offers the port AllAtOnce."""
        return _in_order((await self._seen(self._server_groups(None)))[0])

    async def networking(self, application: str | None = None) -> Networking:
        """Services, Ingresses and NetworkPolicies. Offers the port Surrounded."""
        found, missing = await self._seen(lambda objects: describing.networking(objects, application))
        return replace(networking_of(found), missing=missing)

    async def workloads(self, application: str | None = None) -> Workloads:
        """Deployments with their ReplicaSets, and DaemonSets. Offers the port Surrounded."""
        found, missing = await self._seen(
            lambda objects: describing.workloads(objects, application, self._events, self._now())
        )
        return replace(workloads_of(found), missing=missing)

    async def logs(self, place: Place, name: str, instance_id: str, lines: int = 200) -> str:
        """The log of the pod's first container."""
        objects = self._objects(place)
        live = await self._demanded(objects, place, name)
        pod = next((one for one in await self._pods(objects, live) if manifests.name(one) == instance_id), None)
        if pod is None:
            raise Refused(_unknown(instance_id, place), status=_NOT_FOUND)
        first = next((foreign.text_at(one, "name") for one in manifests.containers(manifests.spec(pod))), "")
        return await patiently(partial(objects.log, place.region, instance_id, first, lines=lines))

    async def run_job(self, new: NewJob) -> Job:
        """Creates a Job, unless this key has one; its pod waits for the Secret that has its secret variables."""
        objects = self._objects(new.place)
        if new.reports:
            raise Refused(_no_files(new))
        await self._check_image(new.image)
        secret = await secrets_port.variables(self._secrets, new.environment, new.application)
        manifest = job_runs.made(new, secret)
        if await self.job(new.place, manifests.name(manifest)) is None:
            await _created_once(objects, manifest)
        if secret:
            where = Coordinates(kind=_JOB, namespace=new.place.region, name=manifests.name(manifest))
            live = await patiently(partial(objects.get, where))
            if live is not None and job_runs.state(live) == job_runs.RUNNING:
                await _give_secret(objects, live, where.name, secret)
        found = await self.job(new.place, manifests.name(manifest))
        if found is None:
            raise Refused(_unknown(manifests.name(manifest), new.place), status=_NOT_FOUND)
        return found

    async def job(self, place: Place, job_id: str) -> Job | None:
        """As its Job and its pods are."""
        objects = self._objects(place)
        where = Coordinates(kind=_JOB, namespace=place.region, name=job_id)
        live = await patiently(partial(objects.get, where))
        if live is None:
            return None
        pods = [
            one
            for one in await patiently(partial(objects.list, _POD, place.region))
            if diagnosing.owned_by(one, manifests.metadata(live).get("uid"))
        ]
        return await self._job(objects, live, pods, place)

    async def stop_job(self, place: Place, job_id: str) -> None:
        """Its time is over at once."""
        objects = self._objects(place)
        patch: JsonObject = {"metadata": {"annotations": {_STOPPED: "true"}}, "spec": {"activeDeadlineSeconds": 1}}
        where = Coordinates(kind=_JOB, namespace=place.region, name=job_id)
        live = await patiently(partial(objects.get, where))
        if live is not None and job_runs.state(live) == job_runs.RUNNING:
            await patiently(partial(objects.patch, where, patch, merge="merge"))

    def _objects(self, place: Place) -> Objects:
        account = self._known().get(place.account)
        if account is None:
            raise Refused(_no_account(place, self._known()))
        problem = account.namespace_problem(place.region)
        if problem is not None:
            raise Refused(problem, status=_FORBIDDEN)
        return Objects(account)

    async def _check_image(self, reference: str) -> None:
        host, _, rest = reference.partition("/")
        repository, _, version = rest.partition("@") if "@" in rest else rest.rpartition(":")
        for registry in self._registries.values():
            if registry.host == host and await registry.resolve(repository, version or "latest") is None:
                raise Refused(_no_image(reference), status=_NOT_FOUND)

    async def _find(self, objects: Objects, place: Place, name: str) -> JsonObject | None:
        for kind in server_group_manifests.KINDS:
            where = Coordinates(kind=kind, namespace=place.region, name=name)
            found = await patiently(partial(objects.get, where))
            if found is not None:
                return found
        return None

    async def _created(self, objects: Objects, new: NewServerGroup, manifest: JsonObject) -> JsonObject:
        try:
            return await patiently(partial(objects.create, manifest))
        except Refused as refused:
            there = await self._find(objects, new.place, new.name)
            if refused.status != _CONFLICT or there is None:
                raise
            return there

    async def _demanded(self, objects: Objects, place: Place, name: str) -> JsonObject:
        found = await self._find(objects, place, name)
        if found is None:
            raise Refused(_unknown(name, place), status=_NOT_FOUND)
        return found

    async def _pods(self, objects: Objects, live: JsonObject) -> list[JsonObject]:
        namespace = manifests.namespace(live)
        pods = await patiently(partial(objects.list, _POD, namespace))
        sets = await patiently(partial(objects.list, Kind("replicaSet"), namespace))
        return sorted(
            diagnosing.own_pods(live, pods, sets), key=lambda one: (manifests.created(one), manifests.name(one))
        )

    async def _choose_newest(self, objects: Objects, live: JsonObject, leaving: int) -> None:
        """A ReplicaSet takes by itself whichever of the newer ones; the cost says which."""
        patch: JsonObject = {"metadata": {"annotations": {_DELETION_COST: "-1000"}}}
        for pod in (await self._pods(objects, live))[-leaving:]:
            await _patch_if_there(objects, manifests.coordinates(pod), patch, merge="merge")

    async def _label_pods(
        self,
        objects: Objects,
        live: JsonObject,
        service: JsonObject,
        change: Callable[[JsonObject, JsonObject], list[JsonObject]],
    ) -> None:
        switches = [
            partial(_patch_if_there, objects, manifests.coordinates(pod), [*operations], merge="json")
            for pod in await self._pods(objects, live)
            if (operations := change(pod, service))
        ]
        await asking.several(switches, at_a_time=_AT_A_TIME)

    def _server_groups(self, application: str | None) -> Look[list[ServerGroup]]:
        return lambda objects: describing.server_groups(objects, application, self._events, self._now())

    async def _seen(self, look: Look[Found], account: str = "") -> tuple[list[Found], dict[str, Problem]]:
        """What is seen in each account that answers, and why others can't be seen; with `account` of no other."""
        names = [one for one in self._known() if account in ("", one)]
        if not names:  # asked for each of all applications, also where nobody uses Kubernetes
            return [], {}
        answers = await asyncio.gather(*(self._seen_in(one, look) for one in names))
        found = [answer for answer in answers if not isinstance(answer, Problem)]
        return found, {name: one for name, one in zip(names, answers, strict=True) if isinstance(one, Problem)}

    async def _seen_in(self, account: str, look: Look[Found]) -> Found | Problem:
        """What is seen in an account, or why it can't be."""
        objects = Objects(self._known()[account])
        # Whoever looks again and again shall not wait each time for one that is known to be gone.
        pauses = () if account in self._unseen else patience.PAUSES
        try:
            found = await patiently(partial(look, objects), pauses)
        except Refused as refused:
            self._unseen.add(account)
            return _unseen(account, refused)
        self._unseen.discard(account)
        return found

    async def _job(self, objects: Objects, live: JsonObject, pods: list[JsonObject], place: Place) -> Job:
        state, is_stopped = job_runs.state(live), manifests.annotations(live).get(_STOPPED) == "true"
        job_id = manifests.name(live)
        if state == job_runs.SUCCEEDED:
            return Job(id=job_id, place=place, state=Health.SUCCEEDED, exit_status=0)
        found = diagnosing.troubles(live, pods)
        if not found and state == job_runs.RUNNING and diagnosing.lacks_pods(live, pods):
            told = await patiently(partial(self._events.of, objects, {place.region}))
            found = diagnosing.of_refusals(live, pods, told.get(foreign.text_at(manifests.metadata(live), "uid"), ()))
        # Whether to wait for a node is for the stage to say.
        stuck = next((one for one in found if one.is_hopeless(self._now()) and not one.is_unplaced), None)
        if state == job_runs.RUNNING and not is_stopped and stuck is None:
            return job_runs.under_way(job_id, place, pods, found)
        why = str(stuck) if stuck else job_runs.why_failed(live, pods)
        why = "It was stopped." if is_stopped else why
        log = [await objects.log_if_any(place.region, manifests.name(one), "", lines=_LOG_LINES) for one in pods[-1:]]
        said = f" Last lines of its log: {log[0].strip()}" if log and log[0].strip() else ""
        details = foreign.mapping(job_runs.described(live, pods, place.account).get("completionDetails"))
        code = foreign.text_at(details, "exitCode")
        return Job(
            id=job_id,
            place=place,
            state=Health.FAILED,
            exit_status=foreign.natural(code),
            reason=f"{why}{said}",
        )


def _in_order(found: Iterable[list[ServerGroup]]) -> tuple[ServerGroup, ...]:
    """Of all accounts, oldest first."""
    return tuple(sorted((one for each in found for one in each), key=lambda one: (one.created_at, one.name)))


async def _give_secret(objects: Objects, owner: JsonObject, name: str, values: Mapping[str, str]) -> None:
    """Unless it has it."""
    where = Coordinates(kind=_SECRET, namespace=manifests.namespace(owner), name=name)
    if await patiently(partial(objects.get, where)) is None:
        await _created_once(objects, secret_variables.secret_of(owner, name, values))


async def _created_once(objects: Objects, manifest: JsonObject) -> None:
    try:
        await patiently(partial(objects.create, manifest))
    except Refused as refused:
        if refused.status != _CONFLICT:  # made meanwhile, by a try whose answer was lost
            raise


async def _service(objects: Objects, name: str, namespace: str) -> JsonObject:
    where = traffic.coordinates(name, namespace)
    found = await objects.get(where)
    if found is None:
        raise Refused(
            Problem(
                code="traffic.no_load_balancer",
                message=f"There is no {where.full_name} in namespace {namespace!r}.",
                remedy="Deploy it before, for example by a deployManifest stage.",
                pointer="/services",
            ),
            status=_NOT_FOUND,
        )
    return found


async def _patch_if_there(
    objects: Objects, where: Coordinates, patch: list[JsonObject] | JsonObject, *, merge: str
) -> None:
    """A pod may have gone meanwhile."""
    try:
        await patiently(partial(objects.patch, where, [*patch] if isinstance(patch, list) else patch, merge=merge))
    except Refused:
        if await patiently(partial(objects.get, where)) is not None:
            raise


async def _shown(objects: Objects, written: JsonObject) -> None:
    """Waits until the watch has what was written."""
    where, version = manifests.coordinates(written), manifests.version(written)

    async def is_so() -> bool:
        found = (await objects.everywhere(where.kind, _watched(objects, where))).get((where.namespace, where.name))
        return found is not None and manifests.version(found) >= version

    await until(is_so)


async def _is_leaving(objects: Objects, where: Coordinates) -> bool:
    found = (await objects.everywhere(where.kind, _watched(objects, where))).get((where.namespace, where.name))
    return found is None or bool(manifests.metadata(found).get("deletionTimestamp"))


def _watched(objects: Objects, where: Coordinates) -> str:
    """The namespace whose watch `describe` looks at."""
    return where.namespace if where.namespace in objects.account.settings.namespaces else ""


def _names(value: object) -> tuple[str, ...]:
    """Services as Spinnaker names them: `service web`; a bare name is one, too."""
    listed = value if isinstance(value, list | tuple) else ()
    return tuple(one if " " in one else f"service {one}" for one in listed if isinstance(one, str) and one)


def _unseen(account: str, refused: Refused) -> Problem:
    said = "; ".join(one.message for one in refused.problems)
    return Problem(
        code="kubernetes.unseen",
        message=f"What runs in the account {account} can't be seen: {said}",
        remedy="See to its API server and to the account's credentials; other accounts are not concerned.",
    )


def _taken(name: str) -> Problem:
    return Problem(
        code="server_group.exists",
        message=f"There is a server group {name} already.",
        remedy="Wait until it is destroyed, or create one with another number.",
    )


def _unknown(name: str, place: Place) -> Problem:
    return Problem(
        code="server_group.unknown",
        message=f"There is no {name} in the namespace {place.region} of {place.account}.",
        remedy="It may have been destroyed; look at the application's clusters.",
    )


def _no_account(place: Place, known: Mapping[str, Account]) -> Problem:
    return Problem(
        code="kubernetes.account",
        message=f"There is no Kubernetes account {place.account!r}.",
        remedy=f"There are: {', '.join(sorted(known)) or 'none'}. Accounts are settings: [kubernetes.NAME].",
        pointer="/account",
    )


def _no_image(reference: str) -> Problem:
    return Problem(
        code="image.unknown",
        message=f"There is no image {reference}.",
        remedy="Push it, or correct the reference.",
        pointer="/image",
    )


def _no_files(new: NewJob) -> Problem:
    return Problem(
        code="job.reports",
        message=f"A job on Kubernetes hands over no files, and {', '.join(sorted(new.reports))} are wanted.",
        remedy="Let it print what is wanted: a runJobManifest stage reads properties from its log.",
        pointer="/reports",
    )
