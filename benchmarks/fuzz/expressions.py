"""Coverage-guided fuzzing of expressions: nothing may escape, nothing may take long.

    .venv/bin/pip install atheris      # not a dependency of the project: there are wheels for few Pythons
    nice -n 19 .venv/bin/python benchmarks/fuzz/expressions.py -max_total_time=3600

Each input becomes a text of expressions: of tokens picked by the fuzzer, or of its bytes as they are. The text is evaluated as
a value and as a key, with and without an execution, and explained. A finding is an exception, a result that can't be
written as JSON, a different result at the second time, or more than `_SECONDS` for one text. libFuzzer's options work:
`-max_total_time=SECONDS`, `-runs=N`, a folder with a corpus.
"""

import json
import sys
import time
from typing import Any

import atheris  # type: ignore[import-not-found]  # installed by hand, see above
import msgspec

with atheris.instrument_imports(include=["gennaker.expressions"]):
    from gennaker.expressions import root, template

_SECONDS = 5.0
_TOKENS = """a b s m list strs nul missing servers trigger execution parameters 't' 'it''s' "q" 1 2 0 2.5 3L 1.5f 0x1F 1e3 -7
true null TRUE + - * / % ^ == != < <= > >= and or not ! && || matches between instanceof ? ?: : ?. . [ ] ( ) { } , ?[ ![ ^[ $[
#this #root #toInt( #toJson( #readJson( #readYaml( #stage( #doNotEval( #x T( T(String) T(Math) T(java.time.LocalDate) new
new\u00a0int[]{1} @b ++ -- = div mod eq lt GE $ _ .size() .length() .split( .replaceAll( .matches( .repeat( .format( .substring(
.![#this] .?[true] .toString() .keySet() '(a+)+b' '%s' 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' '[a-z]*' ${ } ' " \\ \n é ☃ 😀
.plusDays( .parse( 'yyyy-MM-dd' '2024-02-29' 99999999999L .toCharArray() .getBytes() deployedServerGroups""".split()  # noqa: SIM905 - hundreds of quoted tokens would hide one another
_CONTEXT: dict[str, Any] = {
    "a": 3,
    "b": 2.5,
    "s": "hello world",
    "m": {"x": 1, "y": [1, 2], "true": 2},
    "list": [1, 2, 3],
    "strs": ["alpha", "${a}"],
    "nul": None,
    "servers": [{"name": "x", "n": 1}, {"name": "y", "n": 2}],
}
_EXECUTION: dict[str, Any] = {
    "id": "E",
    "type": "PIPELINE",
    "application": "app",
    "trigger": {"type": "jenkins", "buildInfo": {"number": 1, "scm": [{"branch": "x"}]}, "parameters": {"p": "q"}},
    "stages": [
        {"id": "1", "refId": "1", "name": "t", "type": "deploy", "status": "SUCCEEDED", "context": {"k": 1}},
        {"id": "2", "refId": "2", "name": "b", "requisiteStageRefIds": ["1"], "context": _CONTEXT, "outputs": {"o": 1}},
    ],
}


def _text(data: bytes) -> str:
    provider = atheris.FuzzedDataProvider(data)
    if provider.ConsumeIntInRange(0, 3) == 0:
        return "${" + provider.ConsumeUnicodeNoSurrogates(2_000) + "}"
    pieces = [
        _TOKENS[provider.ConsumeIntInRange(0, len(_TOKENS) - 1)] for _ in range(provider.ConsumeIntInRange(1, 40))
    ]
    joined = (" " if provider.ConsumeBool() else "").join(pieces)
    return f"${{{joined}}}" if provider.ConsumeBool() else f"x${{{joined}}} y"


def _once(data: bytes) -> None:
    text = _text(data)
    begun = time.monotonic()
    for at in (root.plain(_CONTEXT), root.at_stage(_EXECUTION, "2")):
        made = [template.evaluate({"v": text, text: 1}, at, at_ms=1, seed="s", explains=2) for _ in range(2)]
        written = [msgspec.json.encode(one.value) for one in made]
        json.dumps([failure.as_json() for failure in made[0].failures])
        assert written[0] == written[1], f"two results of {text!r}"
        template.explain(text, at)
    seconds = time.monotonic() - begun
    assert seconds < _SECONDS, f"{seconds:.1f} s for {text!r}"


def main() -> None:
    """Runs until libFuzzer's options say that it is enough."""
    atheris.Setup(sys.argv, _once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
