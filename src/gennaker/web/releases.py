"""Releases and traffic as they are now, read for pages and terminals."""

from collections.abc import Collection, Iterable

import msgspec

from gennaker.interfaces.services import Services
from gennaker.interfaces.traffic import account_of, name_of
from gennaker.model.codec import Json
from gennaker.model.release import Release
from gennaker.transport import pools_asked


async def of_application(services: Services, application: str) -> list[Release]:
    """All releases of an application, newest first."""
    documents = await services.documents("releases").list(f"{application}/")
    found = [msgspec.convert(document.body, Release) for document in documents]
    return sorted(found, key=lambda release: release.released_at, reverse=True)


async def traffic(services: Services, hidden: Collection[str]) -> list[Json]:
    """Every load balancer that a cluster of a release uses, with shares and requests under way, as far as it answers.

    Without what is in one of the accounts `hidden`: releases that name load balancers, and shares by their server
    group. A load balancer that has no other shares isn't told of.
    """
    names: dict[str, None] = dict.fromkeys(services.settings.load_balancers)
    for document in await services.documents("releases").list():
        release = msgspec.convert(document.body, Release)
        if release.account not in hidden:
            names.update(dict.fromkeys(release.load_balancers))
    found: list[Json] = []
    for provider in services.traffic.values():
        for name in names:
            balancer = await provider.describe(name)
            if balancer is None:
                continue
            seen = {key: share for key, share in balancer.shares.items() if account_of(key) not in hidden}
            if balancer.shares and not seen:
                continue
            flight = await pools_asked.or_silence(services.silences, name, provider.in_flight(name))
            shares: list[Json] = [
                {
                    "serverGroup": name_of(key),
                    "weight": share.weight,
                    "addresses": list(share.addresses),
                    "routes": list[Json](share.routes.sayings()),
                    "inFlight": None if flight is None else _sum(flight.get(one, 0) for one in share.addresses),
                }
                for key, share in seen.items()
            ]
            found.append({"name": name, "provider": provider.name, "address": balancer.address, "shares": shares})
    return found


def _sum(counts: Iterable[int | None]) -> int | None:
    """None where one of them isn't known."""
    listed = list(counts)
    return None if None in listed else sum(count for count in listed if count)
