"""Foreseeing: what of expressions can't work here, found without evaluating them."""

import pytest

from gennaker.migration import foreseeing


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("plain", []),
        ("${parameters.tag}", []),
        ("${#stage('a').outputs.x + #toInt(y)}", []),
        ("${new java.text.SimpleDateFormat('yyyy').format(new java.util.Date())}", []),
        ("${#beam(x)}", ["expression.function_missing"]),
        ("${a ? #beam({#ray(1)}) : 0}", ["expression.function_missing", "expression.function_missing"]),
        ("${T(java.lang.System).exit(0)}", ["expression.type_blocked"]),
        ("${new com.example.Thing()}", ["expression.type_not_found"]),
        ("${a = 5}", ["expression.mutation"]),
        ("${stages.add(1)}", ["expression.mutation"]),
        ("${text.replaceAll('a', 'b')}", []),
        ("${open", ["expression.parse"]),
    ],
)
def test_each_text_has_its_findings(text: str, codes: list[str]) -> None:
    found = list(foreseeing.of_document({"stages": [{"a/b": text}]}))

    assert [one.code for one in found] == codes
    assert {one.pointer for one in found} <= {"/stages/0/a~1b"}
