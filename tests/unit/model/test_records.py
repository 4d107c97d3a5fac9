"""Records of foreign JSON: read as Jackson reads them, and everything that is wrong said at once."""

from typing import Annotated

import msgspec
import pytest

from gennaker.model import records
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem


class Inner(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A record within another."""

    how_many: int
    names: tuple[str, ...] = ()


class Outer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A record with fields of every kind."""

    flag: bool = True
    whole: int = 3
    number: float = 2.5
    text: str = "t"
    at_least: Annotated[int, msgspec.Meta(ge=1, le=9)] = 1
    even: Annotated[str, msgspec.Meta(pattern="^(..)*$", extra={records.WANTED: "an even text"})] = ""
    inner: Inner | None = None
    by_name: dict[str, Inner] = {}
    either: str | Inner | tuple[Inner, ...] = ""
    number_or_text: str | float = ""
    gaps: tuple[str | None, ...] = ()
    anything: Json = None


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({}, Outer()),
        ({"unknown": object}, Outer()),
        ({"flag": "False"}, Outer(flag=False)),
        ({"flag": " true "}, Outer()),
        ({"flag": 0}, Outer(flag=False)),
        ({"flag": 2}, Outer()),
        ({"flag": None, "whole": "", "number": " ", "text": None, "inner": None}, Outer()),
        ({"whole": "5"}, Outer(whole=5)),
        ({"whole": " -5.0 "}, Outer(whole=-5)),
        ({"whole": 5.0}, Outer(whole=5)),
        ({"whole": 10**40}, Outer(whole=10**40)),
        ({"number": "1e3"}, Outer(number=1000.0)),
        ({"number": 7}, Outer(number=7.0)),
        ({"number": 10**400}, Outer(number=float("inf"))),
        ({"text": ""}, Outer(text="")),
        ({"atLeast": "9"}, Outer(at_least=9)),
        ({"even": "abcd"}, Outer(even="abcd")),
        ({"inner": {"howMany": "2", "names": None}}, Outer(inner=Inner(how_many=2))),
        ({"byName": {"a": {"howMany": 1}, "b": None}}, Outer(by_name={"a": Inner(how_many=1)})),
        ({"either": {"howMany": 1}}, Outer(either=Inner(how_many=1))),
        ({"either": [{"howMany": "1"}]}, Outer(either=(Inner(how_many=1),))),
        ({"numberOrText": "5"}, Outer(number_or_text="5")),
        ({"numberOrText": 5}, Outer(number_or_text=5.0)),
        ({"gaps": ["a", None]}, Outer(gaps=("a", None))),
        ({"anything": [None, {"a": "${b}"}]}, Outer(anything=[None, {"a": "${b}"}])),
    ],
)
def test_a_value_is_read_as_leniently_as_by_jackson(given: JsonObject, read: Outer) -> None:
    assert records.read(given, Outer) == read
    assert records.converted(given, Outer) == read


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"flag": "yes"}, '/flag must be true or false, not the text "yes"'),
        ({"flag": "1"}, '/flag must be true or false, not the text "1"'),
        ({"flag": 0.5}, "/flag must be true or false, not the number 0.5"),
        ({"whole": 5.7}, "/whole must be a whole number, not the number 5.7"),
        ({"whole": "1e3"}, '/whole must be a whole number, not the text "1e3"'),
        ({"whole": True}, "/whole must be a whole number, not true"),
        ({"whole": "1_000"}, '/whole must be a whole number, not the text "1_000"'),
        ({"number": "nan"}, '/number must be a number, not the text "nan"'),
        ({"number": "1e999"}, '/number must be a number, not the text "1e999"'),
        ({"text": ["t"]}, "/text must be text, not a list"),
        ({"atLeast": 0}, "/atLeast must be a whole number from 1 to 9, not the number 0"),
        ({"even": "abc"}, '/even must be an even text, not the text "abc"'),
        ({"inner": "null"}, '/inner must be an object, not the text "null"'),
        ({"inner": 5}, "/inner must be an object, not the number 5"),
        ({"inner": {"names": "n"}}, '/inner/howMany is needed; /inner/names must be a list, not the text "n"'),
        ({"inner": {"howMany": None}}, "/inner/howMany is needed"),
        ({"inner": {"howMany": 1, "names": [None]}}, "/inner/names/0 must be text, not null"),
        ({"byName": {"a/b": {"howMany": "x"}}}, '/byName/a~1b/howMany must be a whole number, not the text "x"'),
        ({"numberOrText": []}, "/numberOrText must be text or a number, not a list"),
        ({"either": {"howMany": []}}, "/either/howMany must be a whole number, not a list"),
        ({"either": [{"howMany": 1}, {}]}, "/either/1/howMany is needed"),
        ([], " must be an object, not a list"),
    ],
)
def test_everything_that_is_wrong_is_said_with_its_place(given: Json, wrong: str) -> None:
    found = records.read(given, Outer)

    assert isinstance(found, tuple)
    assert "; ".join(f"{one.pointer} {one.said}" for one in found) == wrong
    assert records.wrongs(given, Outer) == found
    assert records.quickly(given, Outer) == found


def test_numbers_and_flags_are_taken_as_text_where_only_text_fits() -> None:
    given: JsonObject = {"text": 42, "even": True, "either": 1.5, "inner": {"howMany": 1, "names": [7, False]}}

    found = records.read({**given, "numberOrText": 3}, Outer)

    assert not isinstance(found, tuple)
    assert found.inner is not None
    assert (found.text, found.even, found.either, found.number_or_text) == ("42", "true", "1.5", 3)
    assert found.inner.names == ("7", "false")


def test_where_an_exception_is_wanted_it_says_all_of_it() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        records.converted({"flag": "yes", "inner": {"howMany": []}}, Outer)

    assert str(caught.value) == (
        '`flag` must be true or false, not the text "yes"; `inner.howMany` must be a whole number, not a list'
    )


@pytest.mark.parametrize(
    "given",
    [
        {"flag": "${a}", "whole": "1${a}", "text": "${a}", "inner": "${a}", "byName": "${a}", "either": "${a}"},
        {"even": "odd${a}", "atLeast": "${ 50 }", "inner": {"names": ["${a}"], "${b}": 5}},
        {"byName": {"${a}": 5}},
    ],
)
def test_before_expressions_are_evaluated_they_fit_everywhere(given: JsonObject) -> None:
    assert records.wrongs_unevaluated(given, Outer) == ()
    assert records.wrongs(given, Outer) != ()


def test_beside_expressions_what_is_wrong_is_wrong() -> None:
    given: JsonObject = {"inner": {"howMany": "${a}", "names": ["${a}", []]}, "byName": {"${a}": 5, "b": 5}}

    assert [one.pointer for one in records.wrongs_unevaluated(given, Outer)] == ["/inner/names/1", "/byName/b"]


@pytest.mark.parametrize(
    "given",
    [
        *({"flag": "1"}, {"whole": "1e3"}, {"number": "NaN"}, {"inner": "null"}, {"byName": "null"}),
        *({"number": float("inf")}, {"number": float("nan")}, {"number": -float("inf"), "anything": [{}]}),
    ],
)
def test_what_only_msgspec_takes_is_wrong_before_evaluation_too(given: JsonObject) -> None:
    assert records.wrongs_unevaluated(given, Outer) == records.wrongs(given, Outer) != ()


def test_what_is_wrong_becomes_a_problem_with_its_name() -> None:
    missing, wrong = records.wrongs({"inner": {"names": [[]]}}, Outer)

    assert missing.problem("stage", of="stage a", pointer="/stages/0") == Problem(
        code="stage.field_missing",
        message="`inner.howMany` of stage a is needed.",
        remedy="Add it.",
        pointer="/stages/0/inner/howMany",
    )
    assert wrong.problem("stage") == Problem(
        code="stage.field_wrong",
        message="`inner.names[0]` must be text, not a list.",
        pointer="/inner/names/0",
    )
