"""`gennaker diff`: what is printed of the differences that manifest stages have found."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import api_server

from gennaker.cli import differing
from gennaker.cli.place import Place
from gennaker.cli.terminal import Form
from gennaker.model.problems import Refused

WEB = {
    "name": "deployment web",
    "namespace": "shop",
    "change": "changed",
    "changes": [{"path": "/spec/replicas", "before": 2, "after": 3}, {"path": "/spec/paused", "before": True}],
    "more": 7,
}
OLD = {"name": "service old", "namespace": "shop", "change": "deleted", "changes": []}
STAGES: list[dict[str, Any]] = [
    {"id": "s1", "refId": "1", "name": "Deploy", "context": {"manifestDifferences": [WEB, OLD]}},
    {"id": "s2", "refId": "2", "name": "Wait", "context": {}},
]


def test_each_field_and_each_object_has_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with api_server.running(tmp_path) as api:
        api.will("GET /api/v1/executions/e1", {"stages": STAGES})

        assert differing.diff("e1", place=Place(data=tmp_path)) == 0
        table = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
        assert differing.diff("e1", stage="1", output=Form.JSON, place=Place(data=tmp_path)) == 0

    assert table[2:] == [
        "deployment web (shop) changed /spec/replicas 2 3",
        "deployment web (shop) changed /spec/paused true -",
        "deployment web (shop) changed and 7 more",
        "service old (shop) deleted",
    ]
    assert json.loads(capsys.readouterr().out) == [{"stage": "Deploy", "manifestDifferences": [WEB, OLD]}]


@pytest.mark.parametrize("stage", ["2", "Gone"])
def test_where_nothing_was_compared_it_says_so(tmp_path: Path, stage: str) -> None:
    with api_server.running(tmp_path) as api:
        api.will("GET /api/v1/executions/e1", {"stages": STAGES})

        with pytest.raises(Refused, match="that has compared manifests"):
            differing.diff("e1", stage=stage, place=Place(data=tmp_path))
