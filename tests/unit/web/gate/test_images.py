"""Gate's routes to images: found by a part of their names in the registries of the settings."""

from pathlib import Path

from tests.fakes.registry import MemoryRegistry
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness


def test_images_are_found_by_a_part_of_their_names_and_their_tags_are_listed(tmp_path: Path) -> None:
    registry = MemoryRegistry()
    for repository, tag in (("shop", "1.0"), ("shop", "1.1"), ("cart", "1.0")):
        registry.add(repository, tag, tmp_path, {})

    async def work(site: Website) -> None:
        async def found(query: str) -> list[str]:
            listed = (await site.get(f"/images/find?{query}", token=None)).json
            return [f"{one['repository']}:{one['tag']}" for one in listed]

        assert await found("provider=dockerRegistry&account=mine&q=SHOP") == ["shop:1.0", "shop:1.1"]
        assert await found("q=s*1.1") == ["shop:1.1"]
        assert await found("q=&count=2") == ["cart:1.0", "shop:1.0"]
        assert await found("provider=aws") == await found("account=other") == []
        [one] = (await site.get("/images/find?q=cart", token=None)).json
        assert (one["account"], one["artifact"]["reference"]) == ("mine", "127.0.0.1:5000/cart:1.0")

        tags = await site.get("/images/tags?provider=dockerRegistry&account=mine&repository=shop", token=None)
        assert tags.json == ["1.0", "1.1"]
        unknown = await site.get("/images/tags?account=other&repository=shop", token=None)
        assert (unknown.status, unknown.json["code"]) == (404, "account.unknown")

    visit(work, harness=Harness(registries={"mine": registry}))
