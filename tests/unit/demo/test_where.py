"""Where the demo's services run: pipelines that are told so say it everywhere, and differ in nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from gennaker.demo import pipelines, where
from gennaker.demo.where import Where
from gennaker.plugins.docker import options
from gennaker.settings import DockerSettings

PODS = where.Pods(Path("/there/kubeconfig"))
CONTAINERS = where.Containers("unix:///there/engine.sock", 5000)


def written(place: Where) -> list[Any]:
    return [
        pipelines.first_release("shop", grace_period="PT1H", where=place),
        pipelines.delivery_of_shop(traffic_percent=10, grace_period="PT1H", webhook="http://hook", where=place),
        pipelines.delivery_of_cart(grace_period="PT1H", where=place),
    ]


def values(found: Any, key: str) -> list[Any]:
    """Of a key, at any depth, in order."""
    if isinstance(found, list):
        return [one for part in found for one in values(part, key)]
    if not isinstance(found, dict):
        return []
    return [one for name, part in found.items() for one in ([part] if name == key else values(part, key))]


def names(found: list[Any]) -> list[str]:
    return [stage["name"] for pipeline in found for stage in pipeline["stages"]]


@pytest.mark.parametrize(
    ("place", "account", "provider"),
    [(where.PROCESSES, "local", "local"), (PODS, "cluster", "kubernetes"), (CONTAINERS, "engine", "docker")],
)
def test_whatever_runs_runs_in_the_one_place(place: Where, account: str, provider: str) -> None:
    found = written(place)

    runs = [one for one in values(found, "account") if one != pipelines.REGISTRY]
    assert {*runs} == {account}
    assert {*values(found, "cloudProvider")} == {provider}


@pytest.mark.parametrize("place", [PODS, CONTAINERS])
def test_the_stages_are_the_same_everywhere(place: Where) -> None:
    assert names(written(place)) == names(written(where.PROCESSES))


def test_pods_are_told_to_listen_on_their_own_address() -> None:
    containers = values(PODS.cluster, "containers")

    assert {"name": "HOST", "value": "0.0.0.0"} in containers[0][0]["env"]


def test_pipelines_that_test_at_the_same_time_have_jobs_of_their_own() -> None:
    manifest: Any = PODS.job(image="shop", command=("test",), report="report.xml")["manifest"]

    assert "name" not in manifest["metadata"]
    assert manifest["metadata"]["generateName"]


@pytest.mark.parametrize("place", [PODS, CONTAINERS])
def test_the_server_is_told_of_the_account_that_pipelines_name(place: Where) -> None:
    provider = place.place["cloudProvider"]
    words = [one.split(".") for one in place.settings]

    assert {name for section, name, *_ in words if section == provider} == {place.place["account"]}


def test_containers_and_their_tests_keep_to_what_the_account_allows() -> None:
    told = [one.partition(".")[2].partition(".")[2].partition("=") for one in CONTAINERS.settings]
    account = {key: json.loads(value) for key, _, value in told if key in ("mounts", "host-network")}
    settings = DockerSettings(mounts=tuple(account["mounts"]), host_network=account["host-network"])

    instance = options.of_server_group(CONTAINERS.cluster, settings)
    job = options.of_job(CONTAINERS.job(image="shop", command=("test",), report="report.xml"), settings)

    assert instance.mounts == job.mounts != ()
    assert (instance.networks, job.networks) == ((), ("host",))
