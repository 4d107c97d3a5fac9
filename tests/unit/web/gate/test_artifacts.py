"""Gate's routes to artifacts: what accounts have, for the forms in which people choose."""

from collections.abc import Awaitable, Callable

import pytest
from tests.fakes.http_target import Answer, running
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.plugins.artifacts.plugin import plugin as artifacts
from gennaker.settings import ArtifactAccountSettings, Settings

INDEX = b"entries: {shop: [{version: 1.9.0}, {version: 1.10.0}], cart: [{version: 0.1.0}]}"


def visit(address: str, work: Callable[[Website], Awaitable[None]]) -> None:
    accounts = {
        "charts": ArtifactAccountSettings(type="helm", address=address),
        "files": ArtifactAccountSettings(type="github"),
    }
    harness = Harness(artifacts, settings=Settings(artifact_accounts=accounts))

    async def main() -> None:
        async with harness.process() as core:
            await work(Website(harness, core))

    harness.time.run(main())


def test_charts_are_named_with_their_versions() -> None:
    async def work(site: Website) -> None:
        names = await site.get("/artifacts/account/charts/names?type=helm/chart")
        versions = await site.get("/artifacts/account/charts/versions?type=helm/chart&artifactName=shop")

        assert (names.status, names.json) == (200, ["cart", "shop"])
        assert (versions.status, versions.json) == (200, ["1.10.0", "1.9.0"])

    with running(lambda _: Answer(body=INDEX)) as target:
        visit(target.url, work)


def test_of_a_very_large_index_the_first_are_given_and_the_rest_is_owned_up_to() -> None:
    charts = ", ".join(f"c{number:04}: [{{version: 1.0.0}}]" for number in range(1001))
    versions = ", ".join(f"{{version: 1.0.{number}}}" for number in range(1001))
    index = f"entries: {{{charts}, shop: [{versions}], cart: [{{version: 0.1.0}}]}}".encode()

    async def work(site: Website) -> None:
        of_cart = await site.get("/artifacts/account/charts/versions?type=helm/chart&artifactName=cart")
        of_shop = await site.get("/artifacts/account/charts/versions?type=helm/chart&artifactName=shop")
        names = await site.get("/artifacts/account/charts/names?type=helm/chart")

        assert of_cart.json == ["0.1.0"]
        assert "x-gennaker-cut" not in of_cart.headers
        assert of_shop.json == [f"1.0.{number}" for number in range(1000, 0, -1)]
        assert of_shop.headers["x-gennaker-cut"] == "true"
        assert names.json == [f"c{number:04}" for number in range(1000)]
        assert names.headers["x-gennaker-cut"] == "true"

    with running(lambda _: Answer(body=index)) as target:
        visit(target.url, work)


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("other/names?type=helm/chart", 404, "no artifact account 'other'"),
        ("charts/names?type=helm/image", 404, "It reads helm/chart and helm/index."),
        ("charts/names", 400, "type"),
        ("charts/versions?type=helm/chart", 400, "artifactName"),
        ("charts/versions?type=helm/chart&artifactName=gone", 404, "the chart 'gone'"),
        ("files/names?type=github/file", 501, "not list them"),
        ("files/versions?type=github/file&artifactName=x", 501, "not list them"),
    ],
)
def test_what_cannot_be_listed_is_said(asked: str, status: int, said: str) -> None:
    async def work(site: Website) -> None:
        answer = await site.get(f"/artifacts/account/{asked}")

        assert answer.status == status
        assert said in answer.body.decode()

    with running(lambda _: Answer(body=INDEX)) as target:
        visit(target.url, work)


def test_a_repository_that_does_not_answer_is_no_empty_one() -> None:
    async def work(site: Website) -> None:
        answer = await site.get("/artifacts/account/charts/names?type=helm/chart")

        assert answer.status == 503
        assert "answered 503" in answer.body.decode()

    with running(lambda _: Answer(status=503)) as target:
        visit(target.url, work)
