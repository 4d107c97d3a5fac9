"""Build artifacts: what file names tell, and how many are kept."""

import re
from typing import Any

import pytest

from gennaker.model import build_artifacts
from gennaker.model.codec import JsonObject

JAR = {"jar": re.compile(r"(?P<name>.+)-(?P<version>\d.*)\.jar")}


def described(*files: str, patterns: Any = None) -> list[Any]:
    artifacts: Any = [{"fileName": file, "type": "jenkins/file", "name": "job", "version": "7"} for file in files]
    found: Any = build_artifacts.described({"number": 7, "artifacts": artifacts}, patterns or {})
    return list(found["artifacts"])


@pytest.mark.parametrize(
    ("file", "kind", "name", "version"),
    [
        ("shop_1.2.3-h4.abc_amd64.deb", "deb", "shop", "1.2.3-h4.abc"),
        ("shop-web_2.0~rc1+7_all.deb", "deb", "shop-web", "2.0~rc1+7"),
        ("shop-web-1.2.3-4.x86_64.rpm", "rpm", "shop-web", "1.2.3-4.x86_64"),
        ("shop-web-1.2.3.jar", "jar", "shop-web", "1.2.3"),
    ],
)
def test_a_package_s_name_says_what_it_is(file: str, kind: str, name: str, version: str) -> None:
    [artifact] = described(file, patterns=JAR)

    assert {key: artifact[key] for key in ("type", "name", "version", "reference", "decorated", "fileName")} == {
        "type": kind,
        "name": name,
        "version": version,
        "reference": file,
        "decorated": True,
        "fileName": file,
    }


@pytest.mark.parametrize("file", ["shop.deb", "shop_1.2.3.deb", "notes.txt", "shop-1.rpm", "a_1_b.deb.sha256"])
def test_other_files_stay_what_the_ci_system_says(file: str) -> None:
    assert described(file) == [{"fileName": file, "type": "jenkins/file", "name": "job", "version": "7"}]


def test_an_own_pattern_stands_in_for_what_is_known() -> None:
    own = {"deb": re.compile(r"(?P<name>\w+)_.*\.deb")}

    [artifact] = described("shop_1.2.3_amd64.deb", patterns=own)

    assert (artifact["name"], artifact["version"]) == ("shop", "7")


def test_of_very_many_the_most_telling_are_kept() -> None:
    files = [f"{number}.class" for number in range(30)] + ["index.html", "build.yml", "shop_1_all.deb", "x.properties"]

    kept = [one["fileName"] for one in described(*files)]

    assert kept == ["shop_1_all.deb", "x.properties", "build.yml", "index.html", *files[:16]]
    assert [one["fileName"] for one in described(*files[:20])] == files[:20]


@pytest.mark.parametrize("info", [{"number": 7}, {"artifacts": []}, {"artifacts": None}, {"artifacts": "x"}])
def test_a_build_that_has_left_nothing_stays_as_it_is(info: JsonObject) -> None:
    assert build_artifacts.described(info, {}) == info
