"""What of a webhook stage is wrong as it is written."""

from typing import Any

import pytest

from gennaker.plugins.webhook import writing


def pointers(**stage: Any) -> list[str]:
    return [one.pointer for one in writing.wrong(stage)]


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ({}, []),
        ({"url": "https://ci.example.org/start", "method": " post ", "statusUrlResolution": "getMethod"}, []),
        ({"url": "", "method": None, "cancelEndpoint": "  "}, []),
        ({"url": "${trigger.url}", "cancelEndpoint": "https://${host}/x"}, []),
        ({"url": 5, "method": 7}, ["/url", "/method"]),
        ({"url": "ci.example.org", "cancelEndpoint": "ftp://x/y"}, ["/url", "/cancelEndpoint"]),
        ({"url": "https://", "cancelMethod": "FETCH"}, ["/url", "/cancelMethod"]),
        ({"statusUrlResolution": "somewhere"}, ["/statusUrlResolution"]),
    ],
)
def test_addresses_and_methods_that_no_call_could_be_made_with(stage: dict[str, Any], expected: list[str]) -> None:
    assert pointers(**stage) == expected


def test_the_problem_says_what_is_there_and_what_to_write() -> None:
    (problem,) = writing.wrong({"method": "FETCH"})

    assert problem.message == '`method` of a webhook stage must be a method, not the text "FETCH".'
    assert "DELETE, GET, HEAD" in problem.remedy
