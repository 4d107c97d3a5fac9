"""Trigger keys: what configured triggers may say, by type. Types that aren't known may say anything beside the common keys."""

import difflib

import msgspec

from gennaker.model.artifact import Plain
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Problem
from gennaker.model.stage_keys import NotificationKeys


class TriggerKeys(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What all of them have."""

    type: str
    """`git`, `docker`, `cron`, `pipeline`, `webhook` …"""
    enabled: bool = False
    id: str = ""
    run_as_user: str = ""
    expected_artifact_ids: tuple[str, ...] = ()
    payload_constraints: JsonObject = {}
    attribute_constraints: JsonObject = {}
    parameters: JsonObject = {}
    rebake: bool = False
    dry_run: bool = False
    notifications: tuple[NotificationKeys, ...] = ()


class GitKeys(TriggerKeys, frozen=True, kw_only=True, rename="camel"):
    """A push or a pull request."""

    source: str = ""
    project: str = ""
    slug: str = ""
    branch: Plain = ""
    """Regular expression."""
    secret: Plain = ""
    events: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    """Only pushes that touch these files."""


class RegistryKeys(TriggerKeys, frozen=True, kw_only=True, rename="camel"):
    """A tag in a registry."""

    account: str = ""
    organization: str = ""
    registry: str = ""
    repository: str = ""
    tag: Plain = ""
    """Regular expression."""


class ChartKeys(TriggerKeys, frozen=True, kw_only=True, rename="camel"):
    """A Helm chart."""

    account: str = ""
    chart: str = ""
    version: Plain = ""


class BuildKeys(TriggerKeys, frozen=True, kw_only=True, rename="camel"):
    """A build of a CI system."""

    master: str = ""
    job: str = ""
    property_file: str = ""


class WebhookKeys(TriggerKeys, frozen=True, kw_only=True, rename="camel"):
    """A call from outside."""

    source: str = ""


class CronKeys(TriggerKeys, frozen=True, kw_only=True, rename="camel"):
    """The clock."""

    cron_expression: str = ""


class PubsubKeys(TriggerKeys, frozen=True, kw_only=True, rename="camel"):
    """A message."""

    pubsub_system: str = ""
    subscription_name: str = ""


class PipelineEndKeys(TriggerKeys, frozen=True, kw_only=True, rename="camel"):
    """The end of another pipeline."""

    application: str = ""
    pipeline: str = ""
    status: tuple[str, ...] = ()


class SearchKeys(TriggerKeys, frozen=True, kw_only=True, rename="camel"):
    """A new artifact in a repository of artifacts."""

    artifactory_search_name: str = ""
    nexus_search_name: str = ""


class PluginKeys(TriggerKeys, frozen=True, kw_only=True, rename="camel"):
    """A plugin's release."""

    plugin_event_type: str = ""


_BY_TYPE: dict[str, type[TriggerKeys]] = {
    "git": GitKeys,
    **dict.fromkeys(("docker", "helm/oci"), RegistryKeys),
    "helm": ChartKeys,
    **dict.fromkeys(("jenkins", "travis", "concourse", "gitlab-ci", "wercker"), BuildKeys),
    **dict.fromkeys(("webhook", "cdevents"), WebhookKeys),
    "cron": CronKeys,
    "pubsub": PubsubKeys,
    "pipeline": PipelineEndKeys,
    **dict.fromkeys(("artifactory", "nexus"), SearchKeys),
    "plugin": PluginKeys,
}
_NEVER_FIRE = frozenset({"helm", "wercker"})
FIRING = frozenset({*_BY_TYPE, "manual"}) - _NEVER_FIRE
"""Types of triggers that can fire here; others are kept and warned about."""
PATTERNS = ("branch", "tag")
"""Keys that hold regular expressions, of which `branch` must be one."""


def of_type(kind: object) -> type[TriggerKeys]:
    """The keys of a trigger of this type."""
    return _BY_TYPE.get(kind, TriggerKeys) if isinstance(kind, str) else TriggerKeys


def never_fires(kind: str, pointer: str) -> Problem | None:
    """What to say of a trigger whose type nothing here serves."""
    if kind in FIRING:
        return None
    if kind in _BY_TYPE:
        message = f"Triggers of the type {kind!r} never fire here."
        remedy = "Start the pipeline by a webhook from what sees the event."
        return Problem(code="trigger.not_served", message=message, remedy=remedy, pointer=pointer)
    alike = difflib.get_close_matches(kind.lower(), sorted(FIRING), n=1, cutoff=0.65)
    meant = f"Did you mean {alike[0]!r}? " if alike else ""
    return Problem(
        code="trigger.unknown_type",
        message=f"No trigger has the type {kind!r}: it never fires.",
        remedy=f"{meant}Use one of {', '.join(sorted(FIRING))}.",
        pointer=pointer,
    )
