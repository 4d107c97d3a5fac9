"""Gate's pipeline templates: which of them are listed for a scope."""

import pytest
from tests.fakes.visiting import visit
from tests.fakes.website import Website


@pytest.mark.parametrize(
    ("stored", "scope", "is_listed"),
    [
        ("global", "GLOBAL", True),
        ("global", "global2", False),
        ("team-.*", "team-", True),
        ("team-.*", "Team-shop", True),
        ("team-.*-eu", "team-shop-eu", True),
        ("team-.*-eu", "team-eu", False),
        (".*a.*b.*", "xaxbx", True),
        (".*b.*a.*", "xaxbx", False),
        ("team.eu", "team-eu", False),
        ("a.*" * 30 + "b", "a" * 2000, False),  # as a regular expression it would keep the server for ever
    ],
)
def test_those_of_a_scope_are_listed(stored: str, scope: str, is_listed: bool) -> None:
    async def work(site: Website) -> None:
        template = {"id": "t", "schema": "v2", "metadata": {"name": "t", "scopes": ["other", stored]}}
        await site.ports.services.definitions.save("template", "t", template, author="ada")

        found = (await site.get(f"/v2/pipelineTemplates?scopes={scope}", token=None)).json

        assert [one["id"] for one in found] == (["t"] if is_listed else [])

    visit(work)
