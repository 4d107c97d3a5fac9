"""The registry's HTTP API, beyond what every registry must do: immutable tags, paging, limits, whom it serves."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from tests.registry_servers import own_registry

from gennaker.transport import tls

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


@pytest.fixture
def http(tmp_path: Path) -> Iterator[httpx2.Client]:
    """A client of Gennaker's registry."""
    with (
        own_registry(tmp_path) as host,
        httpx2.Client(base_url=f"http://{host}", trust_env=False, verify=tls.trusted(), timeout=600) as client,
    ):
        yield client


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def push_blob(http: httpx2.Client, content: bytes) -> str:
    answer = http.post("/v2/shop/blobs/uploads/", params={"digest": sha256(content)}, content=content)
    assert answer.status_code == 201, answer.text
    return sha256(content)


def push(http: httpx2.Client, tag: str, content: bytes = b"{}", **more: object) -> httpx2.Response:
    digest = push_blob(http, content)
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(content)}
    body = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [], **more}
    return http.put(f"/v2/shop/manifests/{tag}", content=json.dumps(body), headers={"content-type": MANIFEST})


def code(answer: httpx2.Response) -> str:
    return str(answer.json()["errors"][0]["code"])


def test_takes_a_blob_in_one_request(http: httpx2.Client) -> None:
    digest = push_blob(http, b"at once")

    assert http.get(f"/v2/shop/blobs/{digest}").content == b"at once"


def test_keeps_nothing_of_a_single_request_with_a_wrong_digest(http: httpx2.Client, tmp_path: Path) -> None:
    answer = http.post("/v2/shop/blobs/uploads/", params={"digest": sha256(b"other")}, content=b"content")

    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")
    assert [file for file in (tmp_path / "images" / "registry").rglob("*") if file.is_file()] == []


def test_an_immutable_tag_takes_no_other_content(http: httpx2.Client) -> None:
    assert push(http, "1.0", b"{}").status_code == 201

    answer = push(http, "1.0", b'{"os":"linux"}')

    assert (answer.status_code, code(answer)) == (409, "DENIED")
    assert "names sha256:" in answer.json()["errors"][0]["message"]
    assert "Push under a new tag" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize("is_whole", [True, False], ids=["with its image", "alone"])
def test_a_deleted_immutable_tag_takes_only_what_it_named(http: httpx2.Client, is_whole: bool) -> None:
    digest = push(http, "1.0", b"{}").headers["docker-content-digest"]
    assert http.delete(f"/v2/shop/manifests/{digest if is_whole else '1.0'}").status_code == 202

    answer = push(http, "1.0", b'{"os":"linux"}')

    assert (answer.status_code, code(answer)) == (409, "DENIED")
    assert f"named {digest} until it was deleted" in answer.json()["errors"][0]["message"]
    assert http.head("/v2/shop/manifests/1.0").status_code == 404
    assert push(http, "1.0", b"{}").status_code == 201


def test_a_deleted_mutable_tag_takes_other_content(http: httpx2.Client) -> None:
    push(http, "latest", b"{}")
    http.delete("/v2/shop/manifests/latest")

    assert push(http, "latest", b'{"os":"linux"}').status_code == 201


@pytest.mark.parametrize("tag", ["latest", "main", "feature-x"])
def test_a_mutable_tag_takes_other_content(http: httpx2.Client, tag: str) -> None:
    first = push(http, tag, b"{}").headers["docker-content-digest"]
    second = push(http, tag, b'{"os":"linux"}').headers["docker-content-digest"]

    assert first != second
    assert http.head(f"/v2/shop/manifests/{tag}").headers["docker-content-digest"] == second


def test_a_blob_of_an_image_is_not_deleted(http: httpx2.Client) -> None:
    push(http, "1.0", b"{}")

    answer = http.delete(f"/v2/shop/blobs/{sha256(b'{}')}")

    assert (answer.status_code, code(answer)) == (409, "DENIED")


def test_a_blob_without_an_image_is_deleted(http: httpx2.Client) -> None:
    digest = push_blob(http, b"alone")

    assert http.delete(f"/v2/shop/blobs/{digest}").status_code == 202
    assert http.head(f"/v2/shop/blobs/{digest}").status_code == 404


def test_a_deleted_tag_leaves_the_image(http: httpx2.Client) -> None:
    digest = push(http, "1.0").headers["docker-content-digest"]

    assert http.delete("/v2/shop/manifests/1.0").status_code == 202
    assert http.head("/v2/shop/manifests/1.0").status_code == 404
    assert http.head(f"/v2/shop/manifests/{digest}").status_code == 200


def test_lists_what_refers_to_an_image(http: httpx2.Client) -> None:
    image = push(http, "1.0")
    subject = {"mediaType": MANIFEST, "digest": image.headers["docker-content-digest"], "size": 1}
    signature = push(http, "signature", b'{"s":1}', subject=subject, artifactType="application/x-signature")

    index = http.get(f"/v2/shop/referrers/{subject['digest']}").json()
    filtered = http.get(f"/v2/shop/referrers/{subject['digest']}?artifactType=application/x-other")

    assert signature.headers["oci-subject"] == subject["digest"]
    assert [entry["artifactType"] for entry in index["manifests"]] == ["application/x-signature"]
    assert filtered.json()["manifests"] == []
    assert filtered.headers["oci-filters-applied"] == "artifactType"


def test_refuses_a_manifest_sent_as_something_else(http: httpx2.Client) -> None:
    index = "application/vnd.oci.image.index.v1+json"

    answer = http.put(
        "/v2/shop/manifests/1.0", content=b'{"schemaVersion": 2, "manifests": []}', headers={"content-type": MANIFEST}
    )

    assert (answer.status_code, code(answer)) == (400, "MANIFEST_INVALID")
    assert index not in answer.text


@pytest.mark.parametrize("wrong", ["config", "layer", "both"])
def test_refuses_a_manifest_whose_sizes_do_not_fit(http: httpx2.Client, wrong: str) -> None:
    config = {"digest": push_blob(http, b"{}"), "size": 2 if wrong == "layer" else 3}
    layer = {"digest": push_blob(http, b"layer"), "size": 5 if wrong == "config" else 0}
    body = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]})

    answer = http.put("/v2/shop/manifests/1.0", content=body, headers={"content-type": MANIFEST})

    assert answer.status_code == 400
    told = [f"{error['code']} {error['message']}" for error in answer.json()["errors"]]
    expected = []
    if wrong != "layer":
        expected.append(f"MANIFEST_INVALID The manifest says that {sha256(b'{}')} has 3 bytes, but it has 2.")
    if wrong != "config":
        expected.append(f"MANIFEST_INVALID The manifest says that {sha256(b'layer')} has 0 bytes, but it has 5.")
    assert [line.partition(" Push the image")[0] for line in told] == expected
    assert http.head("/v2/shop/manifests/1.0").status_code == 404


def test_refuses_an_index_whose_sizes_do_not_fit(http: httpx2.Client) -> None:
    digest = push(http, "1.0").headers["docker-content-digest"]
    size = len(http.get("/v2/shop/manifests/1.0").content)

    def put(said: int) -> httpx2.Response:
        entry = {"mediaType": MANIFEST, "digest": digest, "size": said}
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]})
        return http.put("/v2/shop/manifests/all", content=body, headers={"content-type": INDEX})

    answer = put(size + 1)

    assert (answer.status_code, code(answer)) == (400, "MANIFEST_INVALID")
    assert f"{digest} has {size + 1} bytes, but it has {size}" in answer.json()["errors"][0]["message"]
    assert put(size).status_code == 201


def test_refuses_a_manifest_that_is_too_large(http: httpx2.Client) -> None:
    answer = http.put("/v2/shop/manifests/1.0", content=b" " * (5 << 20), headers={"content-type": MANIFEST})

    assert (answer.status_code, code(answer)) == (413, "MANIFEST_INVALID")


@pytest.mark.parametrize("digest", ["sha256:xyz", "sha512:" + "0" * 128, "md5:1"])
def test_refuses_a_digest_that_is_none(http: httpx2.Client, digest: str) -> None:
    answer = http.get(f"/v2/shop/blobs/{digest}")

    assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")


def test_an_upload_belongs_to_its_repository(http: httpx2.Client) -> None:
    location = http.post("/v2/shop/blobs/uploads/").headers["location"]

    answer = http.patch(location.replace("/shop/", "/other/"), content=b"x")

    assert (answer.status_code, code(answer)) == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("upload", ["..%2f..%2fpasswd", "x" * 80, "a%00b"])
def test_an_upload_that_never_began_is_unknown(http: httpx2.Client, upload: str) -> None:
    assert http.get(f"/v2/shop/blobs/uploads/{upload}").status_code in {400, 404}


def test_a_web_page_may_not_push(http: httpx2.Client) -> None:
    answer = http.post("/v2/shop/blobs/uploads/", headers={"origin": "http://evil.example"})

    assert (answer.status_code, code(answer)) == (403, "DENIED")


def test_another_hosts_name_is_refused(http: httpx2.Client) -> None:
    answer = http.get("/v2/", headers={"host": "evil.example:5000"})

    assert (answer.status_code, code(answer)) == (403, "DENIED")


@pytest.mark.parametrize(("method", "path"), [("POST", "/v2/"), ("PUT", "/v2/_catalog"), ("PATCH", "/v2/a/tags/list")])
def test_says_what_it_does_not_support(http: httpx2.Client, method: str, path: str) -> None:
    answer = http.request(method, path)

    assert (answer.status_code, code(answer)) == (405, "UNSUPPORTED")


def test_a_number_of_entries_must_be_one(http: httpx2.Client) -> None:
    assert http.get("/v2/_catalog?n=many").status_code == 400


def test_takes_parts_that_say_where_they_belong(http: httpx2.Client) -> None:
    begun = http.post("/v2/shop/blobs/uploads/")
    first = http.patch(begun.headers["location"], content=b"01234", headers={"content-range": "0-4"})
    gap = http.patch(first.headers["location"], content=b"89", headers={"content-range": "8-9"})

    assert first.status_code == 202
    assert gap.status_code == 416


def test_refuses_a_range_beyond_the_end(http: httpx2.Client) -> None:
    digest = push_blob(http, b"0123456789")

    assert http.get(f"/v2/shop/blobs/{digest}", headers={"range": "bytes=10-20"}).status_code == 416


ENDLESS = "9" * 5000
"""More digits than Python makes a number of."""


@pytest.mark.parametrize(
    ("wanted", "status", "content"),
    [
        (f"bytes=-{ENDLESS}", 206, b"0123456789"),
        (f"bytes=8-{ENDLESS}", 206, b"89"),
        (f"bytes={'0' * 5000}8-", 206, b"89"),
        ("bytes=-3", 206, b"789"),
        (f"bytes={ENDLESS}-", 416, b""),
        (f"bytes={ENDLESS}-{ENDLESS}", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=0-0,2-3", 200, b"0123456789"),
        ("bytes=\xb2-", 200, b"0123456789"),
    ],
)
def test_any_range_is_served_ignored_or_refused(http: httpx2.Client, wanted: str, status: int, content: bytes) -> None:
    digest = push_blob(http, b"0123456789")

    answer = http.get(f"/v2/shop/blobs/{digest}", headers=[(b"range", wanted.encode("latin-1"))])

    assert answer.status_code == status
    assert status == 416 or answer.content == content
    assert len(answer.content) < 1000


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("where", [f"{ENDLESS}-{ENDLESS}", f"bytes {ENDLESS}-1/{ENDLESS}", "-1-2", "x"])
def test_a_part_that_belongs_nowhere_is_refused(http: httpx2.Client, method: str, where: str) -> None:
    location = http.post("/v2/shop/blobs/uploads/").headers["location"]

    answer = http.request(method, location, content=b"x", headers={"content-range": where})

    assert (answer.status_code, code(answer)) == (416, "BLOB_UPLOAD_INVALID")
    assert len(answer.content) < 1000


@pytest.mark.parametrize("path", ["_catalog", "shop/tags/list"])
@pytest.mark.parametrize(
    ("query", "status"),
    [(f"n={ENDLESS}", 400), ("n=-1", 400), ("n=1.5", 400), ("n=0", 200), ("last=%00", 200), ("last=%ff", 200)],
)
def test_any_page_is_listed_or_refused(http: httpx2.Client, path: str, query: str, status: int) -> None:
    push(http, "1.0")

    assert http.get(f"/v2/{path}?{query}").status_code == status


@pytest.mark.parametrize(
    "path",
    [
        f"shop/blobs/sha256:{ENDLESS}",
        "shop/blobs/%00",
        f"shop/manifests/sha256:{'f' * 5000}",
        "shop/manifests/%00",
        "shop/referrers/%ED%A0%80",
        "%00/tags/list",
        "%ff/tags/list",
        f"{'a' * 256}/tags/list",
        f"{'a-' * 127}/tags/list",
    ],
)
def test_names_and_digests_that_are_none_are_refused(http: httpx2.Client, path: str) -> None:
    answer = http.get(f"/v2/{path}")

    assert answer.status_code == 400
    assert len(answer.content) < 1000


@pytest.mark.parametrize("size", [f"{ENDLESS}", "2e400", "-1", '"2"', "null"])
def test_a_size_that_is_none_is_a_broken_manifest(http: httpx2.Client, size: str) -> None:
    digest = push_blob(http, b"{}")
    config = f'{{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "{digest}", "size": {size}}}'
    body = f'{{"schemaVersion": 2, "mediaType": "{MANIFEST}", "config": {config}, "layers": []}}'

    answer = http.put("/v2/shop/manifests/1.0", content=body, headers={"content-type": MANIFEST})

    assert (answer.status_code, code(answer)) == (400, "MANIFEST_INVALID")


def test_lists_tags_page_by_page(http: httpx2.Client) -> None:
    for number in range(5):
        push(http, f"1.{number}")

    found: list[str] = []
    address = "/v2/shop/tags/list?n=2"
    while address:
        page = http.get(address)
        found += page.json()["tags"]
        address = page.links["next"]["url"] if "next" in page.links else ""

    assert found == [f"1.{number}" for number in range(5)]
