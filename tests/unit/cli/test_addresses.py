"""Addresses of what a command names: whatever people type."""

import pytest

from gennaker.cli import addresses
from gennaker.model.problems import Refused


def test_names_are_quoted() -> None:
    assert addresses.execution("01ABC") == "/api/v1/executions/01ABC"
    assert addresses.execution("a?b#c d%2f") == "/api/v1/executions/a%3Fb%23c%20d%252f"
    assert addresses.application("shop") == "/api/v1/applications/shop"
    assert addresses.pipeline("shop", "Deliver it/now") == "/api/v1/applications/shop/pipelines/Deliver%20it%2Fnow"
    assert addresses.imported("a b") == "/api/v1/imports/a%20b"
    assert addresses.gate_execution("01ABC") == "/pipelines/01ABC"
    assert addresses.gate_application("a?b") == "/applications/a%3Fb"
    assert addresses.gate_notifications("a#b") == "/notifications/application/a%23b"
    assert addresses.gate_canary_config("a b") == "/v2/canaryConfig/a%20b"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../shop"])
def test_what_can_be_no_name_is_refused(name: str) -> None:
    with pytest.raises(Refused, match=r"There is no application '.*gennaker list applications"):
        addresses.application(name)
    with pytest.raises(Refused, match=r"There is no application '.*gennaker list applications"):
        addresses.imported(name)
    with pytest.raises(Refused, match=r"There is no execution '.*gennaker list executions"):
        addresses.execution(name)
