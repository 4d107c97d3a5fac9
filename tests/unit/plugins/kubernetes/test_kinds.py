"""Kinds: their names, short names and order."""

import pytest

from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import kinds
from gennaker.plugins.kubernetes.kinds import Can, CustomKinds, Kind, Properties


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("deploy", "deployment"),
        ("Deployment", "deployment"),
        ("RS", "replicaSet"),
        ("svc", "service"),
        ("hpa", "horizontalpodautoscaler"),
        ("HorizontalPodAutoscaler", "horizontalpodautoscaler"),
        ("replicaSet.apps", "replicaSet"),
        ("Rollout.argoproj.io", "Rollout.argoproj.io"),
        ("Widget", "Widget"),
    ],
)
def test_a_kind_has_one_name_however_it_is_written(written: str, kind: str) -> None:
    assert str(kinds.parse(written)) == kind


def test_a_custom_kind_is_told_from_a_native_one_of_the_same_name() -> None:
    calico = kinds.of({"apiVersion": "crd.projectcalico.org/v1", "kind": "NetworkPolicy"})
    native = kinds.of({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"})

    assert (str(calico), str(native)) == ("NetworkPolicy.crd.projectcalico.org", "networkPolicy")
    assert calico.key != native.key


def test_custom_kinds_are_compared_without_case() -> None:
    assert kinds.parse("rollout.argoproj.io").key == kinds.parse("Rollout.ARGOPROJ.io").key


@pytest.mark.parametrize("text", ["deployment", "", "deployment web extra", " web", "deployment  web"])
def test_a_manifest_is_named_by_exactly_two_words(text: str) -> None:
    with pytest.raises(Refused):
        kinds.parse_full_name(text)


def test_a_full_name_is_read_back() -> None:
    kind, name = kinds.parse_full_name("replicaSet web-v003")

    assert kinds.full_name(kind, name) == "replicaSet web-v003"


def test_what_nobody_knows_goes_last_and_configured_kinds_go_where_they_are_told() -> None:
    custom = CustomKinds({"widget.acme.io": Properties(priority=10)})
    given = [
        {"kind": "Gadget", "apiVersion": "acme.io/v1"},
        {"kind": "Pod"},
        {"kind": "Widget", "apiVersion": "acme.io/v1"},
    ]

    assert [one["kind"] for one in kinds.in_deploy_order(given, custom)] == ["Widget", "Pod", "Gadget"]
    assert kinds.in_deploy_order(given)[1:] == [given[0], given[2]]


@pytest.mark.parametrize(
    ("text", "number"), [("100", 100), ("pdb_priority", 90), ("LOWEST_PRIORITY", 1000), ("soon", None), ("", None)]
)
def test_a_priority_is_a_number_or_a_name(text: str, number: int | None) -> None:
    assert kinds.priority(text) == number


def test_a_daemon_set_can_be_resized_in_spinnakers_words_but_not_scaled() -> None:
    can = kinds.properties(Kind("daemonSet")).can

    assert Can.RESIZE in can
    assert Can.SCALE not in can


def test_what_only_exists_to_be_read_is_not_deployed() -> None:
    assert not kinds.properties(Kind("event")).is_deployable
    assert kinds.properties(Kind("pod")).is_deployable
