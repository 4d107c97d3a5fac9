"""Images: tags of references, and which image a deploy means."""

import pytest
from tests.fakes.rollouts import NEW, OLD, FakePlace, deploy
from tests.harness import problem_of

from gennaker.model.codec import JsonObject
from gennaker.model.statuses import Status
from gennaker.plugins.deploy import images


@pytest.mark.parametrize(
    ("reference", "tag"),
    [
        ("127.0.0.1:5000/shop:1.2.3@sha256:abc", "1.2.3"),
        ("127.0.0.1:5000/shop@sha256:0123456789abcdef", "0123456789ab"),
        ("127.0.0.1:5000/shop", ""),
        ("shop:1", "1"),
    ],
)
def test_a_version_is_the_tag_or_the_short_digest(reference: str, tag: str) -> None:
    assert images.tag_of(reference) == tag


def artifact(reference: str, version: str) -> JsonObject:
    return {"type": "docker/image", "name": "registry/shop", "version": version, "reference": reference}


def test_without_an_image_of_its_own_a_cluster_gets_the_trigger_s_artifact() -> None:
    place = FakePlace()

    execution = place.harness.run(deploy(""), {"artifacts": [artifact(NEW, "1.2.3")]})

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert (place.group("shop-prod-v000").image, place.group("shop-prod-v000").version) == (NEW, "1.2.3")


def test_an_image_of_its_own_wins_and_a_build_s_output_will_do() -> None:
    place = FakePlace()
    built: JsonObject = {"name": "shop", "tag": "7", "reference": "registry/shop:7", "pinned": OLD}

    place.harness.run(deploy(built), {"artifacts": [artifact(NEW, "1.2.3")]})

    assert (place.group("shop-prod-v000").image, place.group("shop-prod-v000").version) == (OLD, "7")


def test_without_any_image_the_deploy_says_so_and_does_nothing() -> None:
    place = FakePlace()

    execution = place.run(deploy(""))

    assert "There is no image to deploy" in problem_of(execution)
    assert place.cloud.groups == {}
