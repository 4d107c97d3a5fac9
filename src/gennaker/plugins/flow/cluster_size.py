"""Cluster size: whether a cluster has as many server groups in each region as a precondition wants."""

import operator
from collections.abc import Callable

import msgspec

from gennaker.interfaces import clouds
from gennaker.interfaces.clouds import CloudProvider, ServerGroup
from gennaker.interfaces.services import Services
from gennaker.model import moniker, records
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem

_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The precondition's `context`."""

    cluster: str = ""
    moniker: JsonObject | None = None
    comparison: str = "=="
    expected: int = 1
    credentials: str = ""
    """Account; empty: any."""
    regions: tuple[str, ...] = ()
    only_enabled_server_groups: bool = False
    cloud_provider: str = ""
    """Empty: all of them."""

    @property
    def application(self) -> str:
        """From the moniker where it names one, else from the cluster's name."""
        named = self.moniker.get("app") if self.moniker else None
        return str(named or moniker.parse(self.cluster).app or "")


async def check(services: Services, given: JsonObject) -> Problem | None:
    """What is wrong with the cluster's size, or with the question; None: it is as wanted."""
    wanted = records.read(given, Wanted)
    if isinstance(wanted, tuple):
        return _invalid([f"`{one.name}` {one.said}" for one in wanted])
    errors = _errors(wanted)
    if errors:
        return _invalid(errors)
    names: dict[str, list[str]] = {region: [] for region in wanted.regions}
    for provider in services.clouds.values():
        if wanted.cloud_provider not in ("", provider.name):
            continue
        for group in await _groups(provider, wanted):
            if (
                group.moniker.cluster == wanted.cluster
                and wanted.credentials in ("", group.place.account)
                and group.place.region in names
                and not (wanted.only_enabled_server_groups and group.is_disabled)
            ):
                names[group.place.region].append(group.name)
    compare = _COMPARISONS[wanted.comparison]
    kind = "enabled server groups" if wanted.only_enabled_server_groups else "server groups"
    failures = [
        f"expected {wanted.comparison} {wanted.expected} {kind} in {region} but found {len(found)}: {found}"
        for region, found in names.items()
        if not compare(len(found), wanted.expected)
    ]
    if not failures:
        return None
    return Problem(
        code="precondition.cluster_size",
        message=f"Precondition check failed: {', '.join(failures)}.",
        remedy="Clean up the cluster so that it has the wanted number of server groups, or change the check.",
    )


async def _groups(provider: CloudProvider, wanted: Wanted) -> tuple[ServerGroup, ...]:
    if wanted.credentials:
        return await clouds.of_account(provider, wanted.application, wanted.credentials)
    return await provider.describe(wanted.application)


def _errors(wanted: Wanted) -> list[str]:
    errors: list[str] = []
    if not wanted.cluster:
        errors.append("Missing cluster")
    elif not wanted.application:
        errors.append(f"Unable to determine application for cluster {wanted.cluster}")
    if wanted.comparison not in _COMPARISONS:
        errors.append(f"Unsupported comparison {wanted.comparison}")
    if wanted.expected < 0:
        errors.append(f"Invalid value for expected {wanted.expected}")
    if not wanted.regions:
        errors.append("Missing regions")
    return errors


def _invalid(errors: list[str]) -> Problem:
    return Problem(
        code="precondition.invalid",
        message=f"Invalid configuration {', '.join(errors)}.",
        remedy="A clusterSize precondition needs cluster, regions, comparison (< <= == >= >) and expected.",
    )
