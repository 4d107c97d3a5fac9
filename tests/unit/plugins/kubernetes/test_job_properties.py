"""Properties in a job's log."""

import pytest

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.plugins.kubernetes import job_properties


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("", {}),
        ("INFO SPINNAKER_PROPERTY_A=b", {"info a": "b"}),
        ("SPINNAKER_PROPERTY_TOKEN=YWJj==", {"token": "YWJj=="}),
        ("SPINNAKER_PROPERTY_EMPTY=\nSPINNAKER_PROPERTY_BARE", {}),
        ("SPINNAKER_PROPERTY_A=1\r\nSPINNAKER_PROPERTY_A=2\r\n", {"a": "2"}),
        ('  SPINNAKER_CONFIG_JSON={"a": {"b": [1]}}', {"a": {"b": [1]}}),
        ('see SPINNAKER_CONFIG_JSON={"a": 1}', {}),
        ('SPINNAKER_PROPERTY_A=x\nSPINNAKER_CONFIG_JSON={"a": 1}', {"a": 1}),
    ],
)
def test_lines_become_properties(log: str, expected: JsonObject) -> None:
    assert job_properties.read(log) == expected


@pytest.mark.parametrize("text", ["[1]", "5", "{", ""])
def test_json_that_is_no_object_is_an_error(text: str) -> None:
    with pytest.raises(Refused, match="invalid JSON"):
        job_properties.read(f"SPINNAKER_CONFIG_JSON={text}")
