"""What of a Secret isn't shown: what API servers repeat of it."""

from typing import Any

import httpx2
import pytest
from tests.harness import problem_of
from tests.kubernetes_cluster import Cluster, first

from gennaker.model.codec import encode
from gennaker.plugins.kubernetes import confidential

_TYPED = "failed to create typed patch object (shop/key; /v1, Kind=Secret): "
_READ = 'Secret in version "v1" cannot be handled as a Secret: '


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            f"{_TYPED}.stringData.password: expected string, got &value.valueUnstructured{{Value:8675309}}",
            ".stringData.password: expected string",
        ),
        (
            (
                f"{_TYPED}errors:\n  .stringData.a: expected string, got &value.valueUnstructured{{Value:8675309}}\n"
                '  .data: expected map, got &value.valueUnstructured{Value:"8675309"}'
            ),
            ".stringData.a: expected string; .data: expected map",
        ),
        (f"{_TYPED}.spec: field not declared in schema", ".spec: field not declared in schema"),
        (
            f"{_READ}json: cannot unmarshal number 8675309 into Go struct field Secret.stringData of type string",
            "Go struct field Secret.stringData of type string",
        ),
        (f'{_READ}strict decoding error: unknown field "datas"', 'unknown field "datas"'),
        (
            (
                "failed to convert new object (shop/key; /v1, Kind=Secret) to proper version: unable to convert unstructured "
                "object to /v1, Kind=Secret: error decoding from json: illegal base64 data at input byte 4"
            ),
            "illegal base64 data at input byte 4",
        ),
        ("invalid character '8' in 8675309", "it isn't accepted"),
    ],
)
def test_where_a_secret_cannot_be_read_only_its_fields_are_told(said: str, shown: str) -> None:
    assert confidential.told(said) == f"{shown} (what else it says may repeat values and isn't shown)"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('data[a b]: Invalid value: "a \\"8675309": no key', "data[a b]: Invalid value (not shown): no key"),
        (
            "immutable: Invalid value: 8675309: field is immutable",
            "immutable: Invalid value (not shown): field is immutable",
        ),
        ('data: Invalid value: {"a":"8675309"}', "data: Invalid value (not shown)"),
        (
            'patch: Invalid value: "{}": json: cannot unmarshal number 8675309 into Go value of type string',
            "patch: Invalid value (not shown): json: cannot unmarshal number into Go value of type string",
        ),
        ("data[tls.crt]: Required value", "data[tls.crt]: Required value"),
        (
            'admission webhook "a.acme.io" denied the request: name an owner',
            'admission webhook "a.acme.io" denied the request: name an owner',
        ),
        (
            'admission webhook "a.acme.io" does not support dry run',
            'admission webhook "a.acme.io" does not support dry run',
        ),
    ],
)
def test_of_fields_that_are_wrong_it_is_told_why_without_what_they_are(said: str, shown: str) -> None:
    assert confidential.told(said) == shown


def test_a_number_in_a_secret_is_in_no_problem() -> None:
    cluster = Cluster()
    said = ".stringData.password: expected string, got &value.valueUnstructured{Value:8675309}"
    refusal = {"kind": "Status", "message": f"{_TYPED}{said}", "details": {"causes": [{"message": said}]}}
    cluster.api.instead["key"] = httpx2.Response(500, json=refusal)
    cluster.api.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}})
    keys: dict[str, Any] = {"location": "shop", "manifestName": "Secret key", "options": {}}

    execution = cluster.run("patchManifest", patchBody={"immutable": False}, **keys)

    assert ".stringData.password: expected string" in problem_of(execution)
    assert "8675309" not in encode(first(execution).context).decode()
