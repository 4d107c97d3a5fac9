"""Test tools as jobs against what was deployed: newman, Selenium and Playwright, with reports, screenshots and videos kept."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import node_packages
from tests.harness import problem_of
from tests.real_places import RealPlace

from gennaker.interfaces.evidence import EvidenceItem
from gennaker.model.codec import Json, JsonObject
from gennaker.model.execution import Execution

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.debian, pytest.mark.xdist_group("page")]

HERE = Path(__file__).parent / "test-tools"
ADDRESS = "${#stage('Deploy').outputs.address}"
NEWMAN = (
    *("run", "api.postman_collection.json", "--env-var", f"baseUrl={ADDRESS}"),
    *("--reporters", "cli,junit", "--reporter-junit-export", "results/api.xml"),
)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[RealPlace]:
    made = RealPlace(tmp_path)
    yield made
    made.close()


@pytest.fixture
def tools() -> Path:
    """A folder with both tools, and with the ffmpeg that Playwright looks for at a place of its own."""
    folder = node_packages.cached(HERE)
    (browsers,) = [
        one
        for one in (folder / "node_modules" / "playwright-core" / "browsers.json").read_text().split("{")
        if '"ffmpeg"' in one
    ]
    revision = browsers.split('"revision": "')[1].split('"')[0]
    home = folder / "browsers" / f"ffmpeg-{revision}"
    if not (home / "INSTALLATION_COMPLETE").exists():
        (program,) = (folder / "node_modules" / "@ffmpeg-installer").glob("linux-*/ffmpeg")
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / "ffmpeg-linux").symlink_to(program)
        (home / "INSTALLATION_COMPLETE").touch()
    return folder


def job(image: str, *command: str, after: str, **keys: Json) -> JsonObject:
    place: JsonObject = {"account": "local", "region": "local", "cloudProvider": "local"}
    return {
        "type": "runJob",
        "requisiteStageRefIds": [after],
        **place,
        "image": image,
        "command": [*command],
        **keys,
    }


def pipeline(place: RealPlace, tools: Path) -> JsonObject:
    suites = place.source.add("suites", "1", HERE / "suites", {"WorkingDir": "/"})
    chromium = shutil.which("chromium")
    assert chromium is not None
    environment: JsonObject = {
        "BASE_URL": ADDRESS,
        "CHROMIUM": chromium,
        "PLAYWRIGHT_BROWSERS_PATH": str(tools / "browsers"),
        "HOME": os.environ.get("HOME", "/root"),
    }
    deploy = place.deploy("1.2.3", loadBalancers=[], strategy="none", capacity={"min": 1, "max": 1, "desired": 1})
    (stage,) = deploy["stages"]  # type: ignore[misc]  # a list of one
    modules = tools / "node_modules"
    node, where = str(node_packages.node()), f"NODE_PATH={modules}"  # variables of jobs name no modules of the machine
    newman = job(suites, node, str(modules / "newman" / "bin" / "newman.js"), *NEWMAN, after="1")
    selenium = job(
        suites,
        *("env", "/usr/bin/python3", "-m", "pytest", "--junit-xml", "results/report.xml", "shop_selenium.py"),
        after="2",
        environment={"BASE_URL": ADDRESS, "HOME": environment["HOME"]},
    )
    browser = job(
        suites,
        "env",
        where,
        node,
        str(modules / "@playwright" / "test" / "cli.js"),
        "test",
        after="3",
        environment=environment,
    )
    stages: list[Json] = [
        stage,
        {**newman, "refId": "2", "name": "API", "reports": {"junit": "results/api.xml"}},
        {
            **selenium,
            "refId": "3",
            "name": "Selenium",
            "reports": {"junit": "results/report.xml", "files": "results/files"},
        },
        {
            **browser,
            "refId": "4",
            "name": "Browser",
            "reports": {"junit": "results/report.xml", "files": "results/files"},
        },
    ]
    return {**deploy, "stages": stages}


def evidence(execution: Execution, place: RealPlace, stage: str) -> dict[str, tuple[EvidenceItem, bytes]]:
    """What a stage has left, by name."""
    (own,) = [one.id for one in execution.in_order() if one.name == stage]

    async def read() -> dict[str, tuple[EvidenceItem, bytes]]:
        found = await place.harness.evidence.list(execution.head.id)
        return {
            one.name: (one, await place.harness.evidence.read(one.digest) or b"")
            for one in found
            if one.stage_id == own
        }

    return place.harness.time.run(read())


def test_newman_selenium_and_playwright_test_what_was_deployed_and_leave_reports_screenshots_and_videos(
    place: RealPlace, tools: Path
) -> None:
    execution = place.harness.run(pipeline(place, tools))

    statuses = {
        one.name: one.status.value
        for one in execution.in_order()
        if one.name in ("Deploy", "API", "Selenium", "Browser")
    }
    succeeded = dict.fromkeys(("Deploy", "API", "Selenium"), "SUCCEEDED")
    assert statuses == {**succeeded, "Browser": "TERMINAL"}, problem_of(execution)
    assert "1 of 1 tests failed" in problem_of(execution)
    api, browser = evidence(execution, place, "API"), evidence(execution, place, "Browser")
    assert api["API.junit"][0].summary == {"tests": 2, "passed": 2, "failed": 0, "skipped": 0}
    selenium = evidence(execution, place, "Selenium")
    assert selenium["Selenium.junit"][0].summary == {"tests": 1, "passed": 1, "failed": 0, "skipped": 0}
    assert [content[:4] for one, content in selenium.values() if one.media_type == "image/png"] == [b"\x89PNG"]
    assert browser["Browser.junit"][0].summary == {"tests": 1, "passed": 0, "failed": 1, "skipped": 0}
    assert b"Welcome" in browser["Browser.junit"][1], "the claim that holds was not reached"
    kept = {one.media_type: content[:4] for one, content in browser.values()}
    assert kept["image/png"] == b"\x89PNG"
    assert kept["video/webm"] == b"\x1a\x45\xdf\xa3"
