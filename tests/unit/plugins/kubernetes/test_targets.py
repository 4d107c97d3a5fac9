"""Dynamic targets."""

import pytest

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import annotations, manifests, targets


def group(name: str, at: int, replicas: int | None, cluster: str = "replicaSet web") -> JsonObject:
    own = {annotations.APPLICATION: "shop", annotations.CLUSTER: cluster}
    created = f"2026-01-01T00:00:{at:02d}Z"
    spec: JsonObject = {} if replicas is None else {"replicas": replicas}
    return {
        "kind": "ReplicaSet",
        "metadata": {"name": name, "annotations": own, "creationTimestamp": created},
        "spec": spec,
    }


GROUPS = [group("b", 2, 0), group("c", 3, None), group("a", 1, 5)]


@pytest.mark.parametrize(
    ("criteria", "name"),
    [("newest", "c"), ("SECOND_NEWEST", "b"), ("oldest", "a"), ("largest", "a"), ("smallest", "c")],
)
def test_age_and_size_choose_one(criteria: str, name: str) -> None:
    assert manifests.name(targets.choose(criteria, GROUPS, "replicaSet web")) == name


@pytest.mark.parametrize(("criteria", "found"), [("newest", 0), ("second_newest", 1), ("second_newest", 0)])
def test_nothing_found_says_so(criteria: str, found: int) -> None:
    with pytest.raises(Refused) as refused:
        targets.choose(criteria, GROUPS[:found], "replicaSet web")

    assert refused.value.status == 404


def test_an_unknown_criteria_is_refused() -> None:
    with pytest.raises(Refused):
        targets.choose("prettiest", GROUPS, "replicaSet web")


def test_only_the_cluster_of_the_application_is_looked_at() -> None:
    other = group("d", 9, 1, cluster="replicaSet other")

    assert targets.of_cluster([*GROUPS, other], "shop", "replicaSet web") == GROUPS
    assert targets.of_cluster(GROUPS, "cart", "replicaSet web") == []
