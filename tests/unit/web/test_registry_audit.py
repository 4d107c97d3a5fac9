"""What the registry's API leaves in the audit trail: every change of an image or a tag, and every one that is refused."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from tests import stores
from tests.registry_servers import images_of, served

from gennaker.model.codec import JsonObject
from gennaker.store.audit import DatabaseAuditTrail
from gennaker.transport import tls

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
BY = ("via", "address")
Record = tuple[str, str, JsonObject]
"""Action, subject, details."""
Records = Callable[[], list[Record]]


@pytest.fixture(params=stores.DATABASES)
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[httpx2.Client, Records]]:
    """A client of a fresh registry, and what is in its audit trail by now."""
    with stores.opened(request.param, request, tmp_path) as database:
        trail = DatabaseAuditTrail(database)

        def records() -> list[Record]:
            assert asyncio.run(trail.verify()).is_intact
            found = [record.entry for record in asyncio.run(trail.records())]
            assert {entry.actor for entry in found} <= {"anonymous"}
            assert {entry.details["via"] for entry in found} <= {"registry"}
            return [
                (entry.action, entry.subject, {key: one for key, one in entry.details.items() if key not in BY})
                for entry in found
            ]

        with (
            served(images_of(database), trail) as host,
            httpx2.Client(base_url=f"http://{host}", trust_env=False, verify=tls.trusted(), timeout=600) as http,
        ):
            yield http, records


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def manifest_of(content: bytes) -> bytes:
    config = {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": sha256(content),
        "size": len(content),
    }
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}).encode()


def push_blob(http: httpx2.Client, content: bytes) -> str:
    answer = http.post("/v2/shop/blobs/uploads/", params={"digest": sha256(content)}, content=content)
    assert answer.status_code == 201, answer.text
    return sha256(content)


def push(http: httpx2.Client, reference: str, content: bytes) -> str:
    """The image's digest; it is called by it where the reference is empty."""
    push_blob(http, content)
    body = manifest_of(content)
    path = f"/v2/shop/manifests/{reference or sha256(body)}"
    answer = http.put(path, content=body, headers={"content-type": MANIFEST})
    assert answer.status_code == 201, answer.text
    return sha256(body)


def pushed(digest: str) -> Record:
    return ("image.pushed", f"image:shop@{digest}", {"mediaType": MANIFEST})


def tagged(tag: str, digest: str, before: str | None) -> Record:
    return ("image.tagged", f"image:shop:{tag}", {"digest": digest, "before": before})


def test_a_push_is_recorded_with_the_tag_and_what_it_named_before(registry: tuple[httpx2.Client, Records]) -> None:
    http, records = registry

    one = push(http, "latest", b"{}")
    two = push(http, "latest", b'{"os":"linux"}')
    back = push(http, "latest", b"{}")

    assert back == one
    assert records() == [
        pushed(one),
        tagged("latest", one, None),
        pushed(two),
        tagged("latest", two, one),
        tagged("latest", one, two),
    ]


def test_the_same_push_again_leaves_no_record(registry: tuple[httpx2.Client, Records]) -> None:
    http, records = registry
    digest = push(http, "1.0", b"{}")

    push(http, "1.0", b"{}")
    push(http, "", b"{}")

    assert records() == [pushed(digest), tagged("1.0", digest, None)]


def test_an_image_without_a_tag_is_recorded(registry: tuple[httpx2.Client, Records]) -> None:
    http, records = registry

    digest = push(http, "", b"{}")

    assert records() == [pushed(digest)]


def test_deletions_are_recorded_with_what_went_along(registry: tuple[httpx2.Client, Records]) -> None:
    http, records = registry
    digest = push(http, "1.0", b"{}")
    for tag in ("b", "a"):
        push(http, tag, b"{}")
    before = len(records())

    assert http.delete("/v2/shop/manifests/1.0").status_code == 202
    assert http.delete(f"/v2/shop/manifests/{digest}").status_code == 202
    assert http.delete(f"/v2/shop/blobs/{sha256(b'{}')}").status_code == 202

    assert records()[before:] == [
        ("image.untagged", "image:shop:1.0", {"digest": digest}),
        ("image.deleted", f"image:shop@{digest}", {"tags": ["a", "b"]}),
        ("blob.deleted", f"blob:shop@{sha256(b'{}')}", {}),
    ]


def test_a_tag_that_was_deleted_is_recorded_when_it_comes_back(registry: tuple[httpx2.Client, Records]) -> None:
    http, records = registry
    digest = push(http, "1.0", b"{}")
    http.delete("/v2/shop/manifests/1.0")
    before = len(records())

    push(http, "1.0", b"{}")

    assert records()[before:] == [tagged("1.0", digest, None)]


def test_a_refused_push_is_recorded_and_nothing_of_it_else(registry: tuple[httpx2.Client, Records]) -> None:
    http, records = registry
    present = push(http, "1.0", b"{}")
    before = len(records())
    push_blob(http, b"[]")

    answer = http.put("/v2/shop/manifests/1.0", content=manifest_of(b"[]"), headers={"content-type": MANIFEST})

    assert answer.status_code == 409
    message = f"The tag shop:1.0 names {present} for good and can't be given {sha256(manifest_of(b'[]'))}."
    assert records()[before:] == [
        ("push.refused", "image:shop:1.0", {"status": 409, "code": "registry.denied", "problems": [message]})
    ]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "expected"),
    [
        ("PUT", "/v2/shop/manifests/1.0", {}, manifest_of(b"missing"), ("push.refused", "image:shop:1.0", 404)),
        ("PUT", "/v2/shop/manifests/1.0", {}, b"no JSON", ("push.refused", "image:shop:1.0", 400)),
        ("PUT", "/v2/shop/manifests/1.0", {"origin": "http://x"}, b"", ("push.refused", "image:shop:1.0", 403)),
        ("PUT", "/v2/shop/manifests/1.0", {}, b" " * (5 << 20), ("push.refused", "image:shop:1.0", 413)),
        ("PUT", "/v2/Shop/manifests/-", {}, b"", ("push.refused", "image:Shop:-", 400)),
        ("DELETE", "/v2/shop/manifests/1.0", {}, b"", ("deletion.refused", "image:shop:1.0", 404)),
        (
            "DELETE",
            f"/v2/shop/blobs/{sha256(b'x')}",
            {"origin": "http://x"},
            b"",
            ("deletion.refused", f"blob:shop@{sha256(b'x')}", 403),
        ),
    ],
)
def test_every_refusal_of_a_change_is_recorded(
    registry: tuple[httpx2.Client, Records],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    expected: tuple[str, str, int],
) -> None:
    http, records = registry

    answer = http.request(method, path, content=body, headers={"content-type": MANIFEST, **headers})

    ((action, subject, details),) = records()
    assert (action, subject, details["status"]) == expected
    assert answer.status_code == details["status"]
    assert details["problems"]


def test_a_blob_that_an_image_needs_stays_and_the_attempt_is_recorded(
    registry: tuple[httpx2.Client, Records],
) -> None:
    http, records = registry
    push(http, "1.0", b"{}")
    before = len(records())

    answer = http.delete(f"/v2/shop/blobs/{sha256(b'{}')}")

    assert answer.status_code == 409
    ((action, subject, details),) = records()[before:]
    assert (action, subject, details["status"]) == ("deletion.refused", f"blob:shop@{sha256(b'{}')}", 409)


def test_many_missing_blobs_make_no_long_record(registry: tuple[httpx2.Client, Records]) -> None:
    http, records = registry
    layers = [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": sha256(str(number).encode()), "size": 1}
        for number in range(100)
    ]
    body = json.dumps({**json.loads(manifest_of(b"{}")), "layers": layers})

    http.put("/v2/shop/manifests/1.0", content=body, headers={"content-type": MANIFEST})

    ((_, _, details),) = records()
    assert isinstance(details["problems"], list)
    assert len(details["problems"]) == 10


def test_reading_and_uploading_leave_no_record(registry: tuple[httpx2.Client, Records]) -> None:
    http, records = registry
    digest = push_blob(http, b"layer")

    http.get(f"/v2/shop/blobs/{digest}")
    http.get("/v2/shop/manifests/1.0")
    http.post("/v2/other/blobs/uploads/", params={"mount": digest, "from": "shop"})
    http.post("/v2/shop/blobs/uploads/", params={"digest": sha256(b"other")}, content=b"content")

    assert records() == []
