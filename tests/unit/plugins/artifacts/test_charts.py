"""Chart repositories: where a chart is, and its file is read with which credentials."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.http_target import Answer, Asked, Target, running

from gennaker.model.problems import Refused
from gennaker.plugins.artifacts.charts import ChartAccount
from gennaker.settings import ArtifactAccountSettings


@pytest.fixture
def elsewhere() -> Iterator[Target]:
    with running(lambda _: Answer(body=b"chart")) as target:
        yield target


def account(target: Target, folder: Path, *allowed: str) -> ChartAccount:
    (folder / "token").write_text("t0ken")
    settings = ArtifactAccountSettings(type="helm", address=f"{target.url}/stable", token_file=str(folder / "token"))
    return ChartAccount("charts", settings, allowed=allowed)


def test_a_chart_elsewhere_is_read_without_the_repositorys_credentials(elsewhere: Target, tmp_path: Path) -> None:
    index = f"entries: {{shop: [{{version: 1.0.0, urls: [gone.tgz, {elsewhere.url}/shop.tgz]}}]}}".encode()

    def respond(asked: Asked) -> Answer:
        return Answer(body=index) if asked.path == "/stable/index.yaml" else Answer(status=404)

    with running(respond) as target:
        of_charts = account(target, tmp_path, elsewhere.url.removeprefix("http://"))
        found = asyncio.run(of_charts.fetch({"type": "helm/chart", "name": "shop"}))
        whole = asyncio.run(of_charts.fetch({"type": "helm/index"}))

        assert (found, whole) == (b"chart", index)
        assert [one.path for one in target.asked] == ["/stable/index.yaml", "/stable/gone.tgz", "/stable/index.yaml"]
        assert target.asked[0].headers["authorization"] == "Bearer t0ken"
        assert "authorization" not in elsewhere.asked[0].headers


@pytest.mark.parametrize(
    ("name", "said"), [("shop", "the version 2 of the chart 'shop'. It has 1.0.0."), ("cart", "the chart 'cart'")]
)
def test_what_the_repository_lacks_is_said(tmp_path: Path, name: str, said: str) -> None:
    with (
        running(lambda _: Answer(body=b"entries: {shop: [{version: 1.0.0}]}")) as target,
        pytest.raises(Refused) as refused,
    ):
        asyncio.run(account(target, tmp_path).fetch({"type": "helm/chart", "name": name, "version": "2"}))

    assert said in str(refused.value)


def test_an_account_without_an_address_is_refused() -> None:
    with pytest.raises(ValueError, match="helm needs an address"):
        ArtifactAccountSettings(type="helm")
