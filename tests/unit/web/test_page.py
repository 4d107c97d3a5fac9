"""The page: files below its folder and nothing else, with the right kind and caching."""

from pathlib import Path

import pytest
from tests.fakes.virtual_time import RealTime
from tests.fakes.visiting import visit
from tests.fakes.website import Website
from tests.harness import Harness

from gennaker.web.page import NO_PAGE


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>page")
    (folder / "assets" / "app-1a2b.js").write_text("export {}")
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    return folder


def test_files_are_served_with_their_kind(page: Path) -> None:
    async def work(site: Website) -> None:
        for path in ("/ui", "/ui/", "/ui/index.html"):
            index = await site.get(path, token=None)
            assert index.body == b"<!doctype html>page"
            assert index.headers["content-type"].startswith("text/html")
            assert index.headers["cache-control"] == "no-cache"
        script = await site.get("/ui/assets/app-1a2b.js", token=None)
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]

    # Files are read in threads of the framework's own, which virtual time doesn't know.
    visit(work, page=page, harness=Harness(time=RealTime()))


@pytest.mark.parametrize(
    "path",
    ["/ui/../secret", "/ui/assets/../../secret", "/ui/link", "/ui/nothing.js", "/ui/assets", "/ui/a\0b"]
    + [f"/ui/{'x' * 5000}", f"/ui/{'x/' * 3000}"],
)
def test_nothing_else_is_served(page: Path, path: str) -> None:
    async def work(site: Website) -> None:
        answer = await site.get(path, token=None)
        assert answer.status == 404
        assert b"secret" not in answer.body.replace(path.encode(), b"").replace(b"../secret", b"")

    visit(work, page=page)


def test_a_page_that_was_not_built_says_so() -> None:
    async def work(site: Website) -> None:
        answer = await site.get("/ui/", token=None)
        assert (answer.status, answer.body) == (503, f"{NO_PAGE}\n".encode())

    visit(work)


def test_a_browser_at_the_root_is_sent_to_the_page() -> None:
    async def work(site: Website) -> None:
        answer = await site.get("/", token=None)
        assert (answer.status, answer.headers["location"]) == (302, "/ui/")

    visit(work)
