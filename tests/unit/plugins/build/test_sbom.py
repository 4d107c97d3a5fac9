"""The built-in bill of materials."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gennaker.model.problems import Refused
from gennaker.plugins.build import sbom
from gennaker.plugins.build.build_file import BuildFile
from gennaker.plugins.build.sbom import Listed
from gennaker.plugins.build.workspace import Build
from gennaker.transport.git import Commit

COMMIT = Commit(hash="0" * 40, subject="s", author="a", at=datetime(2026, 11, 24, tzinfo=UTC))
BUILD = Build(
    repository="/r",
    service_folder="services/shop",
    commit=COMMIT,
    branch="main",
    version="1.2.3",
    tag="",
    file=BuildFile(service="shop"),
    commits=(COMMIT,),
)
FLASK = Listed(name="flask", version="3.1.0", purl="pkg:pypi/flask@3.1.0", license="BSD-3-Clause")


def test_it_names_the_service_and_its_components_and_is_the_same_each_time() -> None:
    content = sbom.write(BUILD, (FLASK,))

    document = json.loads(content)
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["timestamp"] == "2026-11-24T00:00:00+00:00"
    component = document["metadata"]["component"]
    assert (component["name"], component["version"], component["type"]) == ("shop", "1.2.3", "application")
    assert document["components"] == [
        {
            "bom-ref": "pkg:pypi/flask@3.1.0",
            "licenses": [{"license": {"id": "BSD-3-Clause"}}],
            "name": "flask",
            "purl": "pkg:pypi/flask@3.1.0",
            "type": "library",
            "version": "3.1.0",
        }
    ]
    assert sbom.write(BUILD, (FLASK,)) == content


def test_the_list_is_read(tmp_path: Path) -> None:
    file = tmp_path / "components.yaml"
    file.write_text("- {name: flask, version: 3.1.0, purl: pkg:pypi/flask@3.1.0, license: BSD-3-Clause}\n")

    assert sbom.read_list(file, shown="components.yaml") == (FLASK,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "- {name: a}\n- {version: '1'}\n",
            "line 1: 0: it lacks `version`. (at /0); components.yaml, line 2: 1: it lacks `name`. (at /1)",
        ),
        ("- {name: a, version: '1', purl: npm/a}", "is no package URL"),
        ("name: a", "it must be a list"),
        ("", "components.yaml, line 1: it is empty; begin with `- {name: flask, version: 3.1.0}`."),
    ],
)
def test_a_broken_list_is_refused_with_its_lines(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "components.yaml"
    file.write_text(text)

    with pytest.raises(Refused) as caught:
        sbom.read_list(file, shown="components.yaml")

    assert said in str(caught.value)


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"components\.yaml can't be read: No such file"):
        sbom.read_list(tmp_path / "components.yaml", shown="components.yaml")


def test_a_broken_package_url_is_refused() -> None:
    with pytest.raises(Refused, match="flask has a broken package URL"):
        sbom.write(BUILD, (Listed(name="flask", version="1", purl="pkg:"),))
