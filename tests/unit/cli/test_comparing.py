"""`gennaker compare`: what is asked, what is printed, exit statuses."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import api_server

from gennaker.cli import comparing
from gennaker.cli.terminal import Form
from gennaker.model.comparison import Aspect
from gennaker.transport.client import Client

LINE = {"aspect": "image", "name": "version", "left": "1.2", "right": None, "differs": True}
FOUND: dict[str, Any] = {"left": {"serverGroup": "s-v1"}, "right": {"serverGroup": "p-v2"}, "lines": [LINE]}
URL = "GET /api/v1/applications/shop/comparison?left=staging&right=production"


@pytest.mark.parametrize(("same", "status"), [(False, 1), (True, 0)])
def test_facts_stand_side_by_side_and_a_difference_is_exit_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], same: bool, status: int
) -> None:
    with api_server.running(tmp_path) as api, closing(Client(tmp_path)) as client:
        api.will(URL, {**FOUND, "same": same})
        api.will(f"{URL}&only=image", {**FOUND, "same": same})
        sides = ("staging", "production")

        assert comparing.compare(client, "shop", sides, only=(), form=Form.TABLE) == status
        table = capsys.readouterr().out
        assert comparing.compare(client, "shop", sides, only=(Aspect.IMAGE,), form=Form.JSON) == status

    assert [word for word in table.splitlines()[-1].split() if word != "≠"] == ["image", "version", "1.2", "-"]
    assert "s-v1" in table
    assert json.loads(capsys.readouterr().out)["lines"] == [LINE]
