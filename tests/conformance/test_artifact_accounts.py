"""One suite for every kind of artifact account: what those rely on who read what an artifact refers to."""

import asyncio
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.building import FreshClients
from tests.conformance import subjects
from tests.fakes.ci_worlds import TOKEN, JenkinsWorld, served
from tests.fakes.http_target import Answer, Asked, Target, running
from tests.git_repositories import GitRepository

from gennaker.interfaces import artifacts
from gennaker.interfaces.artifacts import ArtifactAccount, ArtifactCatalogue, ArtifactUnavailable
from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.artifacts.accounts import FileAccount
from gennaker.plugins.artifacts.charts import ChartAccount
from gennaker.plugins.artifacts.repositories import RepositoryAccount
from gennaker.plugins.jenkins.files import JenkinsFiles
from gennaker.plugins.jenkins.system import Jenkins
from gennaker.plugins.oci.charts import ChartImages
from gennaker.settings import ArtifactAccountSettings

SUBJECTS: dict[str, type[ArtifactAccount]] = {
    "http": FileAccount,
    "github": FileAccount,
    "gitlab": FileAccount,
    "bitbucket": FileAccount,
    "jenkins": JenkinsFiles,
    "helm": ChartAccount,
    "git": RepositoryAccount,
    "oci": ChartImages,
}
CATALOGUES: dict[str, type[ArtifactCatalogue]] = {"helm": ChartAccount, "oci": ChartImages}
"""Those that can say what they have."""
CONTENT = bytes(range(256)) * 40


class Bench:
    """Accounts named `mine` of one server, and an artifact whose content it has."""

    def __init__(
        self, target: Target, made: Callable[[], ArtifactAccount], artifact: JsonObject, *, named_by: str = "reference"
    ) -> None:
        """`named_by`: the key of the artifact that says which one."""
        self.target = target
        self.made = made
        self.artifact: JsonObject = {"artifactAccount": "mine", **artifact}
        self.named_by = named_by
        self.is_archived = False

    def fetch(self, **changed: str) -> bytes:
        return asyncio.run(self.made().fetch({**self.artifact, **changed}))

    def read(self) -> bytes:
        return self.opened(self.fetch())

    def opened(self, found: bytes) -> bytes:
        """The content, out of its archive where it comes in one."""
        if not self.is_archived:
            return found
        with tarfile.open(fileobj=io.BytesIO(found), mode="r:gz") as archive:
            assert archive.getnames() == ["deploy.yml"]
            member = archive.extractfile("deploy.yml")
            assert member is not None
            return member.read()

    def answers(self, answer: Answer) -> None:
        """To everything from now on."""
        self.target.respond = lambda _: answer


@contextmanager
def files(kind: Any, token: Path) -> Iterator[Bench]:
    def respond(asked: Asked) -> Answer:
        return Answer(body=CONTENT) if urlsplit(asked.path).path == "/a/deploy.yml" else Answer(status=404)

    with running(respond) as target:
        settings = ArtifactAccountSettings(
            type=kind, address=target.url, token_file=str(token), use_content_api=kind == "github"
        )
        artifact: JsonObject = {"type": f"{kind}/file", "reference": f"{target.url}/a/deploy.yml", "version": "main"}
        yield Bench(target, lambda: FileAccount("mine", settings), artifact)


@contextmanager
def jenkins(token: Path) -> Iterator[Bench]:
    world = JenkinsWorld()
    with served(world):
        world.run({})
        world.finish("success", files={"deploy.yml": CONTENT})
        settings = world.settings(str(token))
        artifact: JsonObject = {
            "type": "jenkins/file",
            "name": world.job,
            "version": "1",
            "reference": "target/deploy.yml",
        }
        yield Bench(world.target, lambda: JenkinsFiles(Jenkins("mine", settings)), artifact)


@contextmanager
def charts(token: Path) -> Iterator[Bench]:
    index = (
        b"entries: {shop: [{version: 1.2.0, urls: [charts/shop.tgz]}, {version: 1.10.0}, {version: 1.10.0-rc.1}],"
        b" cart: [{version: 0.1.0}]}"
    )

    def respond(asked: Asked) -> Answer:
        found = {"/index.yaml": index, "/charts/shop.tgz": CONTENT}.get(asked.path)
        return Answer(status=404) if found is None else Answer(body=found)

    with running(respond) as target:
        settings = ArtifactAccountSettings(type="helm", address=target.url, token_file=str(token))
        artifact: JsonObject = {"type": "helm/chart", "name": "shop", "version": "1.2.0"}
        yield Bench(target, lambda: ChartAccount("mine", settings), artifact, named_by="name")


@contextmanager
def chart_images(token: Path) -> Iterator[Bench]:
    config, digests = b"{}", [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in (b"{}", CONTENT)]
    parts = [
        {"mediaType": f"application/vnd.cncf.helm.{kind}", "digest": digest, "size": len(one)}
        for kind, digest, one in zip(
            ("config.v1+json", "chart.content.v1.tar+gzip"), digests, (config, CONTENT), strict=True
        )
    ]
    media = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": media, "config": parts[0], "layers": parts[1:]}).encode()
    answers = {
        "/v2/team/shop/manifests/1.2.0": Answer(body=manifest, headers={"content-type": media}),
        "/v2/_catalog": Answer(body=b'{"repositories": ["team/shop", "team/cart"]}'),
        "/v2/team/shop/tags/list": Answer(body=b'{"tags": ["1.2.0", "1.10.0-rc.1", "1.10.0"]}'),
        f"/v2/team/shop/blobs/{digests[0]}": Answer(body=config),
        f"/v2/team/shop/blobs/{digests[1]}": Answer(body=CONTENT),
    }
    del token

    with running(lambda asked: answers.get(urlsplit(asked.path).path, Answer(status=404))) as target:
        artifact: JsonObject = {"type": "helm/image", "reference": f"oci://{target.address}/team/shop:1.2.0"}
        yield Bench(target, lambda: ChartImages("mine", FreshClients(target.address)), artifact)


@contextmanager
def repositories(token: Path, folder: Path) -> Iterator[Bench]:
    """A repository whose files any server can hand out."""
    work = GitRepository(folder / "work")
    (folder / "work" / "deploy.yml").write_bytes(CONTENT)
    work.commit("Begin")
    work.git("clone", "--quiet", "--bare", ".", str(folder / "shop.git"))
    work.git("--git-dir", str(folder / "shop.git"), "update-server-info")

    def respond(asked: Asked) -> Answer:
        file = folder / urlsplit(asked.path).path.removeprefix("/")
        return Answer(body=file.read_bytes()) if file.is_file() else Answer(status=404)

    with running(respond) as target:
        settings = ArtifactAccountSettings(type="git", address=target.url, token_file=str(token))
        artifact: JsonObject = {"type": "git/repo", "reference": f"{target.url}/shop.git", "version": "main"}
        made = Bench(target, lambda: RepositoryAccount("mine", settings), artifact)
        made.is_archived = True
        yield made


@pytest.fixture(params=subjects.params(SUBJECTS))
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with furnished(request.param, tmp_path) as made:
        yield made


@pytest.fixture(params=subjects.params(CATALOGUES))
def listing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Of an account that has shop and cart."""
    with furnished(request.param, tmp_path) as made:
        yield made


@contextmanager
def furnished(kind: str, tmp_path: Path) -> Iterator[Bench]:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    others = {
        "jenkins": jenkins,
        "helm": charts,
        "oci": chart_images,
        "git": lambda token: repositories(token, tmp_path),
    }
    with others[kind](token) if kind in others else files(kind, token) as made:
        assert type(made.made()) is SUBJECTS[kind]
        yield made


def test_it_has_its_name_and_the_types_that_it_reads(bench: Bench) -> None:
    account = bench.made()

    assert account.name == "mine"
    assert bench.artifact["type"] in account.types


def test_content_is_read_byte_for_byte_as_often_as_it_is_asked_for(bench: Bench) -> None:
    assert bench.read() == CONTENT
    assert bench.read() == CONTENT


def test_an_artifact_finds_its_account_by_name(bench: Bench) -> None:
    found = asyncio.run(artifacts.content({"mine": bench.made()}, bench.artifact))

    assert bench.opened(found) == CONTENT


def test_what_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused) as refused:
        bench.fetch(**{bench.named_by: f"{bench.artifact[bench.named_by]}.gone"})

    assert refused.value.problems[0].code.startswith("artifact.")


@pytest.mark.parametrize("status", [401, 403])
def test_what_it_may_not_read_is_refused(bench: Bench, status: int) -> None:
    bench.answers(Answer(status=status))

    with pytest.raises(Refused):
        bench.fetch()


@pytest.mark.parametrize("answer", [Answer(status=503), Answer(status=429), Answer(is_dropped=True)])
def test_a_server_that_does_not_answer_now_may_answer_later(bench: Bench, answer: Answer) -> None:
    answering = bench.target.respond
    bench.answers(answer)

    with pytest.raises(ArtifactUnavailable):
        bench.fetch()

    bench.target.respond = answering
    assert bench.read() == CONTENT


def test_an_artifact_that_says_not_which_one_is_refused(bench: Bench) -> None:
    with pytest.raises(Refused):
        bench.fetch(**{bench.named_by: ""})


def catalogue(bench: Bench) -> ArtifactCatalogue:
    account = bench.made()
    assert isinstance(account, ArtifactCatalogue)
    return account


def names(bench: Bench) -> list[str]:
    return list(asyncio.run(catalogue(bench).artifact_names()))


def test_only_those_that_can_list_say_so(bench: Bench) -> None:
    assert isinstance(bench.made(), ArtifactCatalogue) == (type(bench.made()) in CATALOGUES.values())


def test_what_it_has_is_named_in_order_and_has_its_versions_the_newest_first(listing: Bench) -> None:
    cart, shop = names(listing)

    assert cart.endswith("cart")
    assert shop.endswith("shop")
    assert asyncio.run(catalogue(listing).artifact_versions(shop)) == ("1.10.0", "1.10.0-rc.1", "1.2.0")


def test_what_it_lists_can_be_read_by_name_and_version(listing: Bench) -> None:
    shop = names(listing)[1]

    assert listing.fetch(reference="", name=shop, version="1.2.0") == CONTENT


def test_an_unknown_name_has_no_versions(listing: Bench) -> None:
    with pytest.raises(Refused) as refused:
        asyncio.run(catalogue(listing).artifact_versions("gone"))

    assert (refused.value.status, refused.value.problems[0].code) == (404, "artifact.no_chart")


@pytest.mark.parametrize("answer", [Answer(status=503), Answer(is_dropped=True)])
def test_what_does_not_answer_now_is_not_taken_for_empty(listing: Bench, answer: Answer) -> None:
    listing.answers(answer)

    with pytest.raises(ArtifactUnavailable):
        names(listing)
    with pytest.raises(ArtifactUnavailable):
        asyncio.run(catalogue(listing).artifact_versions("shop"))
