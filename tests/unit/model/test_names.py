"""Names that come from outside: what is usual passes, what would be taken for several parts doesn't."""

import pytest

from gennaker.model import names
from gennaker.model.codec import Json


@pytest.mark.parametrize(
    "name", ["shop", "Shop", "my-app", "my_app", "com.example.shop", "7up", "_internal", "a" * 255]
)
def test_an_ordinary_application_passes(name: str) -> None:
    assert names.application_problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a/b",
        "/",
        "../x",
        ".",
        "..",
        ".hidden",
        "-x",
        "a b",
        " a",
        "a\n",
        "a\0",
        "a\\b",
        "ä",
        "a?b",
        "a%2Fb",
        "a" * 256,
    ],
)
def test_an_application_that_would_be_several_parts_or_none_is_wrong(name: str) -> None:
    problem = names.application_problem(name)

    assert problem is not None
    assert (problem.code, problem.pointer) == ("pipeline.field_wrong", "/application")
    assert "Use letters" in problem.remedy


@pytest.mark.parametrize(
    "pipeline_id",
    [
        "9f2c1b1e-5a5c-4a43-9d0b-3b2f6f3c6f0e",
        "deliver-shop",
        "Deliver the shop (new)",
        "01J9ZC3N7Q",
        "lieferung-für-köln",
        "a.b",
        "a:b@c",
        "50%",
        "x" * 255,
    ],
)
def test_any_ordinary_text_is_an_id(pipeline_id: str) -> None:
    assert names.pipeline_id_problem(pipeline_id) is None


@pytest.mark.parametrize(
    "pipeline_id", ["a/b", "../x", ".", "..", "a\\b", "a\n", "a\0b", "\x7f", "\u202e", " a", "a ", "x" * 256]
)
def test_an_id_that_is_no_part_of_a_path_is_wrong(pipeline_id: str) -> None:
    problem = names.pipeline_id_problem(pipeline_id)

    assert problem is not None
    assert (problem.code, problem.pointer) == ("pipeline.field_wrong", "/id")
    assert "UUID" in problem.remedy


@pytest.mark.parametrize("value", [1, True, 0.5, [], {"a": 1}])
def test_what_is_no_text_is_said_so(value: Json) -> None:
    found = [names.application_problem(value), names.pipeline_id_problem(value)]

    assert [problem.message for problem in found if problem] == ["`application` must be text.", "`id` must be text."]
