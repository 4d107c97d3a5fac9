"""Making versions: rewriting a service's behaviour in a work tree."""

import runpy
import shutil
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from gennaker.demo import versions


@pytest.fixture
def work(tmp_path: Path) -> Path:
    with as_file(files("gennaker.demo") / "sample") as sample:
        shutil.copytree(sample, tmp_path / "work")
    return tmp_path / "work"


def behaviour(work: Path, service: str) -> dict[str, object]:
    return runpy.run_path(str(work / "services" / service / service / "behaviour.py"))


@pytest.mark.parametrize(
    ("service", "name", "value"),
    [
        ("shop", "HEADLINE", "Hello and welcome to the shop"),
        ("shop", "ERROR_PERCENT", 5),
        ("shop", "OFFER_PERCENT", 20),
        ("shop", "IS_HEALTHY", False),
        ("cart", "GREETING", "Your cart, at last"),
        ("cart", "IS_HEALTHY", False),
    ],
)
def test_a_version_differs_in_what_was_asked_for_and_nothing_else(
    work: Path, service: str, name: str, value: object
) -> None:
    names = {key for key in behaviour(work, service) if key.isupper()}
    before = behaviour(work, service)

    versions.set_behaviour(work, service, **{name: value})

    after = behaviour(work, service)
    assert {key: after[key] for key in names} == {**{key: before[key] for key in names}, name: value}


def test_a_constant_that_is_not_there_is_not_invented(work: Path) -> None:
    before = behaviour(work, "shop")["HEADLINE"]

    with pytest.raises(KeyError, match="NO_SUCH"):
        versions.set_behaviour(work, "shop", HEADLINE="never written", NO_SUCH=1)

    assert behaviour(work, "shop")["HEADLINE"] == before


def test_the_version_file_holds_the_version(work: Path) -> None:
    versions.set_version(work, "cart", "2.0.0")

    assert (work / "services" / "cart" / "VERSION").read_text() == "2.0.0\n"
