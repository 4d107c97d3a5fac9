"""One suite for every registry: what clients of the OCI distribution API rely on.

Debian's docker-registry is held to the same claims, which shows that they are the protocol's and not ours alone.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import httpx2
import pytest
from tests.conformance import subjects
from tests.registry_servers import debian_registry, own_registry

from gennaker.interfaces.registry import ImageStore
from gennaker.model.codec import JsonObject
from gennaker.store.images import DatabaseImageStore
from gennaker.transport import tls

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = b'{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}'

_SERVERS: dict[str, Callable[[Path], AbstractContextManager[str]]] = {"own": own_registry, "debian": debian_registry}


SUBJECTS: dict[str, type[ImageStore]] = {"own": DatabaseImageStore, "own on PostgreSQL": DatabaseImageStore}
"""The stores behind Gennaker's own; Debian's is no subject, but the measure."""


@pytest.fixture(
    params=[
        *subjects.params(SUBJECTS, debian=("own on PostgreSQL",)),
        pytest.param("debian", marks=[pytest.mark.debian, pytest.mark.slow]),
    ],
)
def http(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[httpx2.Client]:
    """A client of a fresh registry."""
    with contextlib.ExitStack() as stack:
        if request.param == "own on PostgreSQL":
            host = stack.enter_context(own_registry(tmp_path, request.getfixturevalue("postgres_url")))
        else:
            host = stack.enter_context(_SERVERS[request.param](tmp_path))
        yield stack.enter_context(
            httpx2.Client(base_url=f"http://{host}", timeout=300, trust_env=False, verify=tls.trusted())
        )


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def push_blob(http: httpx2.Client, content: bytes, repository: str = "shop") -> str:
    begun = http.post(f"/v2/{repository}/blobs/uploads/")
    assert begun.status_code == 202
    done = http.put(begun.headers["location"], params=with_digest(begun, sha256(content)), content=content)
    assert done.status_code == 201, done.text
    return sha256(content)


def with_digest(answer: httpx2.Response, digest: str) -> dict[str, str]:
    """The query of an upload's address, which may have one already, and the digest."""
    return {**dict(httpx2.URL(answer.headers["location"]).params), "digest": digest}


def descriptor(content: bytes, media_type: str) -> JsonObject:
    return {"mediaType": media_type, "digest": sha256(content), "size": len(content)}


def manifest_of(*layers: bytes, media_type: str = MANIFEST, **more: object) -> bytes:
    config_type, layer_type = {
        MANIFEST: ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip"),
        DOCKER_MANIFEST: (
            "application/vnd.docker.container.image.v1+json",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        ),
    }[media_type]
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": descriptor(CONFIG, config_type),
            "layers": [descriptor(layer, layer_type) for layer in layers],
            **more,
        }
    ).encode()


def push_image(http: httpx2.Client, tag: str, *layers: bytes, repository: str = "shop") -> str:
    for blob in (CONFIG, *layers):
        push_blob(http, blob, repository)
    body = manifest_of(*layers)
    answer = put_manifest(http, body, f"/v2/{repository}/manifests/{tag}")
    assert answer.status_code == 201, answer.text
    return sha256(body)


def put_manifest(http: httpx2.Client, body: bytes, path: str, media_type: str = MANIFEST) -> httpx2.Response:
    return http.put(path, content=body, headers={"content-type": media_type})


def codes(answer: httpx2.Response) -> set[str]:
    return {error["code"] for error in answer.json()["errors"]}


def test_lists_the_tags_of_a_repository(http: httpx2.Client) -> None:
    for number in range(3):
        push_image(http, f"1.{number}", b"layer")

    assert sorted(http.get("/v2/shop/tags/list").json()["tags"]) == ["1.0", "1.1", "1.2"]


def test_says_that_it_is_a_registry(http: httpx2.Client) -> None:
    answer = http.get("/v2/")

    assert answer.status_code == 200
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


def test_gives_back_a_blob_byte_for_byte(http: httpx2.Client) -> None:
    digest = push_blob(http, b"layer" * 1000)

    head, got = http.head(f"/v2/shop/blobs/{digest}"), http.get(f"/v2/shop/blobs/{digest}")

    assert (head.status_code, head.headers["content-length"], head.content) == (200, "5000", b"")
    assert (got.status_code, got.content) == (200, b"layer" * 1000)
    assert got.headers["docker-content-digest"] == digest


@pytest.mark.parametrize(
    ("header", "expected"),
    [("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=0-0", b"0"), ("bytes=8-100", b"89")],
)
def test_gives_a_part_of_a_blob(http: httpx2.Client, header: str, expected: bytes) -> None:
    digest = push_blob(http, b"0123456789")

    answer = http.get(f"/v2/shop/blobs/{digest}", headers={"range": header})

    assert (answer.status_code, answer.content) == (206, expected)


def test_an_unknown_blob_is_unknown(http: httpx2.Client) -> None:
    answer = http.get(f"/v2/shop/blobs/{sha256(b'nothing')}")

    assert (answer.status_code, codes(answer)) == (404, {"BLOB_UNKNOWN"})


def test_a_blob_is_visible_only_in_its_repository(http: httpx2.Client) -> None:
    digest = push_blob(http, b"mine", "shop")

    assert http.head(f"/v2/other/blobs/{digest}").status_code == 404


def test_takes_a_blob_in_parts(http: httpx2.Client) -> None:
    begun = http.post("/v2/shop/blobs/uploads/")
    first = http.patch(begun.headers["location"], content=b"01234")
    second = http.patch(first.headers["location"], content=b"56789")
    state = http.get(second.headers["location"])
    done = http.put(second.headers["location"], params=with_digest(second, sha256(b"0123456789")))

    assert (first.status_code, first.headers["range"]) == (202, "0-4")
    assert (state.status_code, state.headers["range"]) == (204, "0-9")
    assert done.status_code == 201
    assert http.get(f"/v2/shop/blobs/{sha256(b'0123456789')}").content == b"0123456789"


def test_a_wrong_digest_is_refused_and_nothing_is_kept(http: httpx2.Client) -> None:
    begun = http.post("/v2/shop/blobs/uploads/")
    answer = http.put(begun.headers["location"], params=with_digest(begun, sha256(b"other")), content=b"content")

    assert (answer.status_code, codes(answer)) == (400, {"DIGEST_INVALID"})
    assert http.head(f"/v2/shop/blobs/{sha256(b'other')}").status_code == 404
    assert http.head(f"/v2/shop/blobs/{sha256(b'content')}").status_code == 404


def test_an_upload_can_be_cancelled(http: httpx2.Client) -> None:
    begun = http.post("/v2/shop/blobs/uploads/")

    assert http.delete(begun.headers["location"]).status_code == 204
    assert http.get(begun.headers["location"]).status_code == 404


def test_mounts_a_blob_of_another_repository(http: httpx2.Client) -> None:
    digest = push_blob(http, b"shared", "shop")

    answer = http.post("/v2/other/blobs/uploads/", params={"mount": digest, "from": "shop"})

    assert answer.status_code == 201
    assert http.get(f"/v2/other/blobs/{digest}").content == b"shared"


def test_begins_an_upload_where_there_is_nothing_to_mount(http: httpx2.Client) -> None:
    answer = http.post("/v2/other/blobs/uploads/", params={"mount": sha256(b"nothing"), "from": "shop"})

    assert answer.status_code == 202


def test_gives_back_a_manifest_by_tag_and_by_digest(http: httpx2.Client) -> None:
    digest = push_image(http, "1.0", b"layer")

    by_tag = http.get("/v2/shop/manifests/1.0", headers={"accept": MANIFEST})
    by_digest = http.get(f"/v2/shop/manifests/{digest}", headers={"accept": MANIFEST})
    head = http.head("/v2/shop/manifests/1.0", headers={"accept": MANIFEST})

    assert by_tag.content == by_digest.content == manifest_of(b"layer")
    assert by_tag.headers["content-type"] == MANIFEST
    assert by_tag.headers["docker-content-digest"] == head.headers["docker-content-digest"] == digest
    assert head.headers["content-length"] == str(len(by_tag.content))


def test_takes_dockers_manifests(http: httpx2.Client) -> None:
    push_blob(http, CONFIG)
    body = manifest_of(media_type=DOCKER_MANIFEST)

    assert put_manifest(http, body, "/v2/shop/manifests/1.0", DOCKER_MANIFEST).status_code == 201
    answer = http.get("/v2/shop/manifests/1.0", headers={"accept": DOCKER_MANIFEST})
    assert (answer.content, answer.headers["content-type"]) == (body, DOCKER_MANIFEST)


def test_takes_an_index_of_images_that_are_there(http: httpx2.Client) -> None:
    push_image(http, "1.0-amd64", b"layer")
    image = {**descriptor(manifest_of(b"layer"), MANIFEST), "platform": {"architecture": "amd64", "os": "linux"}}
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [image]}).encode()

    assert put_manifest(http, body, "/v2/shop/manifests/1.0", INDEX).status_code == 201
    assert http.get("/v2/shop/manifests/1.0", headers={"accept": INDEX}).content == body


def test_refuses_a_manifest_whose_blobs_are_missing(http: httpx2.Client) -> None:
    push_blob(http, CONFIG)

    answer = put_manifest(http, manifest_of(b"missing"), "/v2/shop/manifests/1.0")

    assert answer.status_code in {400, 404}  # the specification leaves it open
    assert codes(answer) & {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"}
    assert http.get("/v2/shop/manifests/1.0").status_code == 404


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'{"schemaVersion": 2, "config": 5}'])
def test_refuses_what_is_no_manifest(http: httpx2.Client, body: bytes) -> None:
    answer = put_manifest(http, body, "/v2/shop/manifests/1.0")

    assert (answer.status_code, codes(answer)) == (400, {"MANIFEST_INVALID"})


def test_refuses_a_manifest_under_another_digest(http: httpx2.Client) -> None:
    push_blob(http, CONFIG)

    answer = put_manifest(http, manifest_of(), f"/v2/shop/manifests/{sha256(b'other')}")

    assert (answer.status_code, codes(answer)) == (400, {"DIGEST_INVALID"})


def test_an_unknown_manifest_is_unknown(http: httpx2.Client) -> None:
    answer = http.get("/v2/shop/manifests/1.0")

    assert (answer.status_code, codes(answer)) == (404, {"MANIFEST_UNKNOWN"})


def test_pushing_the_same_again_changes_nothing(http: httpx2.Client) -> None:
    first = push_image(http, "1.0", b"layer")
    second = push_image(http, "1.0", b"layer")

    assert first == second
    assert http.get("/v2/shop/tags/list").json() == {"name": "shop", "tags": ["1.0"]}


def test_a_deleted_manifest_takes_its_tags_along(http: httpx2.Client) -> None:
    digest = push_image(http, "1.0", b"layer")

    assert http.delete(f"/v2/shop/manifests/{digest}").status_code == 202
    assert http.get(f"/v2/shop/manifests/{digest}").status_code == 404
    assert http.get("/v2/shop/manifests/1.0").status_code == 404


def test_lists_repositories_page_by_page(http: httpx2.Client) -> None:
    for repository in ("a", "b/c", "d"):
        push_image(http, "1", b"layer", repository=repository)

    first = http.get("/v2/_catalog?n=2")
    second = http.get(first.links["next"]["url"])

    assert first.json() == {"repositories": ["a", "b/c"]}
    assert second.json() == {"repositories": ["d"]}


def test_an_unknown_repository_has_no_tags(http: httpx2.Client) -> None:
    answer = http.get("/v2/nothing/tags/list")

    assert (answer.status_code, codes(answer)) == (404, {"NAME_UNKNOWN"})


def test_refuses_a_name_that_is_none(http: httpx2.Client) -> None:
    answer = http.get("/v2/Shop/tags/list")

    assert answer.status_code in {400, 404}
