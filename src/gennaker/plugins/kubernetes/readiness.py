"""Readiness of custom resources: by the account's own rules, by what is known of some kinds, else at once. Pure.

Spinnaker takes every custom resource as stable. Here one with a rule is waited for; an object whose controller hasn't seen
its present generation yet is never ready.
"""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from gennaker.model import foreign
from gennaker.model.codec import JsonObject
from gennaker.plugins.kubernetes import kinds, manifests, questions, status
from gennaker.plugins.kubernetes.status import Condition, Status

_NOT_SEEN = "Waiting for its controller to see the present generation"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Questions (`questions.py`); empty: none."""

    ready: str = ""
    failed: str = ""


def of(live: JsonObject, rules: Mapping[str, Rule]) -> Status:
    """The status of a live object; `rules` by kind's key. Raises Refused."""
    kind = kinds.of(live)
    rule, known = rules.get(kind.key), _KNOWN.get(kind.key)
    judge = partial(_by_rule, rule) if rule is not None else known
    if judge is None:
        return status.of(live)
    return judge(live) if _is_observed(live) else _waits(_NOT_SEEN)


def _by_rule(rule: Rule, live: JsonObject) -> Status:
    if rule.failed and questions.ask(rule.failed, live).holds:
        return Status(failed=Condition(state=True, message=f"Its account takes it for failed: {rule.failed}"))
    if rule.ready and not (answer := questions.ask(rule.ready, live)).holds:
        return _waits(f"Waiting for {answer.said}")
    return Status()


def _is_observed(live: JsonObject) -> bool:
    observed = manifests.status(live).get("observedGeneration")
    # Argo writes it as text.
    return observed is None or str(observed) == str(manifests.metadata(live).get("generation"))


def _waits(message: str) -> Status:
    return Status(stable=Condition(state=False, message=message))


def _rollout(live: JsonObject) -> Status:
    """Argo Rollouts: the phase, and what it says."""
    own = manifests.status(live)
    phase, said = foreign.text_at(own, "phase"), foreign.text_at(own, "message")
    shown = f"{phase or 'no phase reported'}: {said}" if said else phase or "no phase reported"
    match phase:
        case "Healthy":
            return Status()
        case "Degraded":
            return Status(failed=Condition(state=True, message=f"The rollout is degraded: {said}".rstrip(": ")))
        case "Paused":
            return msgspec.structs.replace(
                _waits(f"The rollout is paused: {said}".rstrip(": ")), paused=Condition(state=True, message=said)
            )
        case _:
            return _waits(f"Waiting for the rollout to be healthy ({shown})")


def _issued(live: JsonObject) -> Status:
    """cert-manager's Certificates: their condition says which generation it is of. Those of its Issuers aren't always kept up to date."""
    observed = _condition_ready(live).get("observedGeneration")
    if observed is not None and observed != manifests.metadata(live).get("generation"):
        return _waits(_NOT_SEEN)
    return _ready(live)


def _condition_ready(live: JsonObject) -> JsonObject:
    return next((one for one in manifests.conditions(live) if one.get("type") == "Ready"), {})


def _ready(live: JsonObject) -> Status:
    """A condition `Ready` that becomes true sooner or later."""
    found = _condition_ready(live)
    if found.get("status") == "True":
        return Status()
    said = foreign.text_at(found, "message") or foreign.text_at(found, "reason") or "nothing reported yet"
    return _waits(f"Waiting for the condition Ready: {said}")


def _ready_or_failed(live: JsonObject) -> Status:
    """Knative: `Ready` is False only where it isn't going to be true by itself."""
    found = _condition_ready(live)
    if found.get("status") != "False":
        return _ready(live)
    said = foreign.text_at(found, "message") or foreign.text_at(found, "reason")
    return Status(failed=Condition(state=True, message=f"It isn't ready: {said}"))


_KNOWN: dict[str, Callable[[JsonObject], Status]] = {
    "rollout.argoproj.io": _rollout,
    "certificate.cert-manager.io": _issued,
    **dict.fromkeys(("issuer.cert-manager.io", "clusterissuer.cert-manager.io"), _ready),
    **dict.fromkeys(
        (f"{one}.serving.knative.dev" for one in ("service", "configuration", "revision", "route", "domainmapping")),
        _ready_or_failed,
    ),
}
