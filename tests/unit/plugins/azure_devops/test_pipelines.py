"""Azure's pipelines as jobs. What all CI systems promise is in tests/conformance/test_ci.py."""

import asyncio
from pathlib import Path

from tests.fakes.ci_worlds import TOKEN, AzureWorld, served
from tests.fakes.http_target import Answer

from gennaker.plugins.azure_devops.pipelines import AzureDevOps


def test_a_file_that_lies_elsewhere_is_not_asked_for(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with served(AzureWorld()) as world:
        file = {"type": "yaml", "path": "ci.yml", "repository": {"fullName": "acme/app", "type": "gitHub"}}
        world.say("/Shop/_apis/pipelines/7", Answer(body={"id": 7, "name": "app", "configuration": file}))

        found = asyncio.run(AzureDevOps("main", world.settings(str(tmp_path / "token"))).job(world.job))

        assert len(world.target.asked) == 1
    assert [(one.name, one.default) for one in found.parameters] == [("ref", "main")]
