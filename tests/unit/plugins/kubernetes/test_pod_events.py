"""Events of pods: only those of an application's own pods, and not asked for again and again where they are refused."""

import asyncio
from datetime import UTC, datetime, timedelta

from tests.fakes.kubernetes_api import KubernetesApi, Object
from tests.kubernetes_cluster import workload

from gennaker.access.masking import Masker
from gennaker.access.secrets import ResolvedSecrets
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.plugins.kubernetes import pod_events
from gennaker.plugins.kubernetes.accounts import Account
from gennaker.plugins.kubernetes.kinds import NO_CUSTOM_KINDS
from gennaker.plugins.kubernetes.provider import KubernetesProvider
from gennaker.transport.kubernetes.kubeconfig import Access, User
from gennaker.transport.kubernetes.server import HttpApiServer


def stuck(name: str, owner: str) -> Object:
    waiting = {"name": "web", "state": {"waiting": {"reason": "ContainerCreating"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "ownerReferences": [{"uid": owner}]},
        "status": {"phase": "Pending", "containerStatuses": [waiting]},
    }


class Clock:
    """Stands still unless it is moved."""

    at = datetime(2030, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


def test_only_events_of_own_pods_are_read_and_a_refusal_counts_for_a_minute() -> None:
    api, clock = KubernetesApi(), Clock()
    access = Access(server="http://cluster", namespace="shop", user=User(token="t"))
    server = HttpApiServer("prod", lambda: access, now=clock.now, transport=api)
    settings = KubernetesAccountSettings(in_cluster=True)
    account = Account(name="prod", server=server, settings=settings, custom=NO_CUSTOM_KINDS)
    provider = KubernetesProvider(lambda: {"prod": account}, {}, secrets=ResolvedSecrets(Masker()), now=clock.now)
    own = {"moniker.spinnaker.io/application": "shop"}
    group = api.put(workload("ReplicaSet", "shop-v000", annotations=own))
    api.put(stuck("shop-v000-x", group["metadata"]["uid"]))
    api.put(stuck("foreign", "another"), namespace="others")
    api.forbidden["GET events"] = "not yours"

    async def asked() -> list[str]:
        api.asked.clear()
        (found,) = await provider.describe("shop")
        assert [one.id for one in found.instances] == ["shop-v000-x"]
        return [one for one in api.asked if one.endswith("/events")]

    async def story() -> None:
        assert await asked() == ["GET /api/v1/namespaces/shop/events"]
        clock.at += timedelta(seconds=59)
        assert await asked() == []
        clock.at += timedelta(seconds=1)
        assert await asked() == ["GET /api/v1/namespaces/shop/events"]

    asyncio.run(story())


def test_events_are_sorted_by_what_they_are_about() -> None:
    events: list[Object] = [{"involvedObject": {"uid": uid}, "reason": uid} for uid in ("a", "b", "a")]

    assert pod_events.by_uid(events) == {"a": [events[0], events[2]], "b": [events[1]]}
