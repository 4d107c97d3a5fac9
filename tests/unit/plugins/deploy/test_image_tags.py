"""Tags of images: given by one pipeline, found by another of the same application, by digest."""

import pytest
from tests import make
from tests.fakes.rollouts import NEW, OLD, FakePlace, deploy_stage, stage
from tests.harness import problem_of

from gennaker.interfaces.documents import Documents
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution
from gennaker.model.statuses import Status


def tagged(place: FakePlace, image: str, **tags: Json) -> Execution:
    execution = place.run(stage("upsertImageTags", imageName=image, tags={**tags}))
    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    return execution


def found(execution: Execution) -> list[Json]:
    (first,) = execution.top_level()
    details = first.outputs["deploymentDetails"]
    assert isinstance(details, list)
    return [one["imageId"] for one in details if isinstance(one, dict)]


def test_the_image_that_was_tagged_last_is_found_and_deployed() -> None:
    place = FakePlace()
    tagged(place, NEW, released="yes", team="a")
    tagged(place, OLD, released="yes")
    finding = {"refId": "1", "type": "findImageFromTags", "packageName": "shop", "tags": {"released": "yes"}}
    deploying = {**deploy_stage(None, strategy="redblack"), "refId": "2", "requisiteStageRefIds": ["1"]}

    execution = place.run(make.config(finding, deploying, application="shop"))

    assert execution.head.status is Status.SUCCEEDED, problem_of(execution)
    assert [one.image for one in place.cloud.groups.values()] == [OLD]


def test_tags_are_added_changed_and_taken_away() -> None:
    place = FakePlace()
    tagged(place, NEW, released="yes", team="a")
    execution = tagged(place, NEW, released=None, team="b", number=3)

    (first,) = execution.top_level()
    assert first.context["originalTags"] == {NEW: {"released": "yes", "team": "a"}}
    assert found(
        place.run(stage("findImageFromTags", packageName="registry/shop", tags={"team": "b", "number": 3}))
    ) == [NEW]
    missing = place.run(stage("findImageFromTags", packageName="shop", tags={"released": "yes"}))
    assert "Could not find tagged image for package: shop and tags: released=yes." in problem_of(missing)
    assert f"{NEW} has team=b, number=3" in problem_of(missing)


def documents_of(place: FakePlace) -> Documents:
    return place.harness.built().services.documents("deploy.image-tags")


def test_an_image_without_tags_is_forgotten() -> None:
    place = FakePlace()
    tagged(place, NEW, released="yes")
    tagged(place, NEW, released=None)
    tagged(place, OLD, released=None)

    assert place.harness.time.run(documents_of(place).list()) == ()


def test_the_thousand_images_that_were_tagged_last_are_kept_for_an_application() -> None:
    place = FakePlace()
    documents = documents_of(place)

    async def many() -> None:
        for number in range(1001):
            image = f"registry/other@sha256:{number:04d}"
            at = f"2020-01-01T00:{number // 60:02d}:{number % 60:02d}Z"
            await documents.put(f"shop/{image}", {"image": image, "tags": {"a": "b"}, "taggedAt": at})
        await documents.put("cart/x", {"image": "x", "tags": {"a": "b"}, "taggedAt": "2019-01-01T00:00:00Z"})

    place.harness.time.run(many())
    tagged(place, NEW, released="yes")
    kept = [one.key for one in place.harness.time.run(documents.list())]

    assert len(kept) == 1001
    assert {"cart/x", f"shop/{NEW}", "shop/registry/other@sha256:0002"} <= {*kept}
    assert "shop/registry/other@sha256:0001" not in kept


def test_another_application_s_tags_are_not_seen() -> None:
    place = FakePlace()
    tagged(place, NEW, released="yes")
    finding = {"refId": "1", "type": "findImageFromTags", "packageName": "shop", "tags": {"released": "yes"}}

    execution = place.run(make.config(finding, application="cart"))

    assert "The application has tagged none of this package." in problem_of(execution)


@pytest.mark.parametrize(
    ("kind", "keys", "said"),
    [
        ("upsertImageTags", {"imageName": NEW}, "names no tags"),
        ("upsertImageTags", {"tags": {"a": "b"}}, "There is no image"),
        ("findImageFromTags", {"tags": {"a": "b"}}, "names no package"),
        ("findImageFromTags", {"packageName": "shop"}, "names no tags"),
        ("findImageFromTags", {"packageName": "shop", "tags": {"a": None}}, "any image would do"),
    ],
)
def test_what_is_missing_is_said(kind: str, keys: JsonObject, said: str) -> None:
    assert said in problem_of(FakePlace().run(stage(kind, **keys)))
