"""Leaving: tells when a pod can't serve any longer, so that requests are kept from it at once, not at somebody's next look."""

from gennaker.interfaces.clouds import Place
from gennaker.interfaces.departures import Departure, Departures
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import annotations, manifests


class Watcher:
    """Sees the events of one account's watches; tells nothing of pods that no application has deployed, or that it may not touch."""

    def __init__(self, departures: Departures, account: str, settings: KubernetesAccountSettings) -> None:
        """Nothing is seen yet."""
        self._departures = departures
        self._account = account
        self._settings = settings

    def see(self, before: JsonObject | None, after: JsonObject | None) -> None:
        """Tells of an object that is a pod which could serve before an event and can't after it."""
        if before is None or not _serves(before) or (after is not None and _serves(after)):
            return
        namespace, application = manifests.namespace(before), annotations.application(before)
        if application and self._settings.allows(namespace):
            place = Place(account=self._account, region=namespace)
            self._departures.tell(Departure(cloud_provider="kubernetes", place=place, application=application))


def _serves(found: JsonObject) -> bool:
    is_pod = found.get("kind") == "Pod" and not manifests.metadata(found).get("deletionTimestamp")
    return is_pod and any(
        one.get("type") == "Ready" and one.get("status") == "True" for one in manifests.conditions(found)
    )
