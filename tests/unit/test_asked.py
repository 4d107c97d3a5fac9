"""Asked: a test that takes minutes runs where its id was given."""

from pathlib import Path

import pytest
from tests import asked

ROOT = Path("/project")
TEST = "tests/e2e/test_all.py::test_one[a-1]"


@pytest.mark.parametrize(
    ("argument", "folder", "is_named"),
    [
        (TEST, ".", True),
        ("tests/e2e/test_all.py::test_one", ".", True),
        ("/project/tests/e2e/test_all.py::test_one", "/elsewhere", True),
        ("test_all.py::test_one", "tests/e2e", True),
        ("../e2e/test_all.py::test_one[a-1]", "tests/unit", True),
        ("tests/e2e/test_all.py::test_one[a-2]", ".", False),
        ("tests/e2e/test_all.py::test", ".", False),
        ("tests/e2e/test_all.py", ".", False),
        ("tests", ".", False),
        ("/elsewhere/test_all.py::test_one", ".", False),
    ],
)
def test_a_test_is_named_by_its_id_alone(argument: str, folder: str, is_named: bool) -> None:
    assert asked.by_id(TEST, ["tests/unit", argument], at=ROOT / folder, root=ROOT) is is_named


def test_a_class_names_its_tests() -> None:
    assert asked.by_id("tests/test_a.py::Of::test_b", ["tests/test_a.py::Of"], at=ROOT, root=ROOT)
