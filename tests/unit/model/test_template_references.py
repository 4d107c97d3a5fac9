"""Template references: keys, tags, digests."""

import pytest

from gennaker.model import template_references


@pytest.mark.parametrize(
    ("reference", "key", "template_id", "tag"),
    [
        ("spinnaker://deliver", "deliver", "deliver", ""),
        ("spinnaker://deliver:stable", "deliver:stable", "deliver", "stable"),
        ("spinnaker://deliver@sha256:ab", "deliver@sha256:ab", "deliver", ""),
        ("spinnaker://deliver:stable@sha256:ab", "deliver:stable@sha256:ab", "deliver", "stable"),
        ("https://example.org/t.json", "", "", ""),
        ("", "", "", ""),
    ],
)
def test_a_reference_names_what_is_stored(reference: str, key: str, template_id: str, tag: str) -> None:
    assert template_references.key_of(reference) == key
    assert template_references.undecorated(key) == template_id
    assert template_references.tag_of(key) == tag


def test_keys_are_made_of_id_and_tag_or_digest() -> None:
    assert template_references.tagged("deliver:stable", "latest") == "deliver:latest"
    assert template_references.tagged("deliver@sha256:ab", "") == "deliver"
    assert template_references.digested("deliver:stable", "sha256:cd") == "deliver@sha256:cd"


def test_the_digest_is_of_what_the_template_says() -> None:
    one = template_references.digest_of({"id": "d", "schema": "v2", "updateTs": "1", "tag": "stable"})

    assert one == template_references.digest_of({"schema": "v2", "id": "d", "updateTs": "2"})
    assert one != template_references.digest_of({"schema": "v2", "id": "e"})
    assert len(one) == 64
