"""Helper functions, and the rewriting of the text that gives them the execution."""

import pytest

from gennaker.expressions import root, template
from gennaker.expressions.failures import Kind
from gennaker.expressions.functions import FUNCTIONS, Function, LookupFailed, rewritten
from gennaker.model.codec import Json, JsonObject

_ARTIFACT: JsonObject = {"type": "docker/image", "name": "reg/app", "version": "1"}
_DEPLOY: JsonObject = {
    "id": "D",
    "refId": "2",
    "name": "Deploy",
    "type": "deploy",
    "status": "SUCCEEDED",
    "requisiteStageRefIds": ["1"],
    "context": {
        "account": "prod",
        "region": "local",
        "capacity": {"max": 1},
        "deploy.server.groups": {"local": ["shop-v001"]},
        "deploymentDetails": [{"region": "local", "imageId": "i"}, {"region": "other", "imageId": "o"}],
    },
}
_JUDGE: JsonObject = {
    "id": "J",
    "refId": "1",
    "name": "Approve",
    "type": "manualJudgment",
    "status": "SUCCEEDED",
    "context": {"judgmentInput": "go"},
    "outputs": {"artifacts": [_ARTIFACT]},
}
_EXECUTION: JsonObject = {
    "id": "E",
    "application": "shop",
    "stages": [_JUDGE, _DEPLOY],
    "trigger": {"type": "docker", "resolvedExpectedArtifacts": [{"boundArtifact": _ARTIFACT}]},
}


class _Answers:
    def fetch(self, url: str) -> str:
        if "broken" in url:
            raise LookupFailed("the server said 500")
        return '{"a": [1]}' if url.endswith("json") else "a.b = 1\n# no\nc: 2"

    def fetch_reference(self, reference: str) -> str:
        return f"content of {reference}"

    def pipeline_id(self, name: str, application: str) -> str | None:
        return f"{application}/{name}" if name == "known" else None

    def application_metadata(self, name: str) -> JsonObject | None:
        return {"email": f"{name}@example.com"}

    def canary_config_id(self, name: str, application: str) -> str | None:
        return f"{application}-{name}"


def _value(expression: str, **options: object) -> Json:
    at = root.at_stage(_EXECUTION, "2")
    return template.evaluate(f"${{{expression}}}", at, lookup=_Answers(), **options).value  # type: ignore[arg-type]  # test options


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("#alphanumerical('a-b_1')", "ab1"),
        ("#toInt('7') + #toInt(1)", 8),
        ("#toBoolean('TRUE')", True),
        ("#fromBase64(#toBase64('ü'))", "ü"),
        ("#toJson({a: {1, null, 'x'}})", '{"a":[1,null,"x"]}'),
        ("#readJson('[1, {}]')[0]", 1),
        ("#readYaml('a: {b: yes}').a.b", True),
        ("#readAllYaml('--- 1\n--- 2')", [1, 2]),
        ("#judgment('Approve')", "go"),
        ("#stageExists('Deploy')", True),
        ("#currentUser()", "anonymous"),
        ("#resolvedArtifacts()[0].name", "reg/app"),
        ("#triggerResolvedArtifact('reg/app').version", "1"),
        ("#triggerResolvedArtifactByType('docker/image').version", "1"),
        ("deployedServerGroups[0].serverGroup", "shop-v001"),
        ("#deployedServerGroups('Deploy')[0].imageId", "i"),
        ("#deployedServerGroups('Other')", []),
        ("#jsonFromUrl('https://example.com/json').a", [1]),
        ("#propertiesFromUrl('https://example.com/p')['a.b']", "1"),
        ("#pipelineId('known')", "shop/known"),
        ("#pipelineIdInApplication('known', 'x')", "x/known"),
        ("#applicationMetadata('x').email", "x@example.com"),
        ("#canaryConfigNameToId('c', 'x')", "x-c"),
        ("#fetchReference('ref://a')", "content of ref://a"),
        ("#fetchReference('plain')", "plain"),
    ],
)
def test_a_function_gives_what_it_says(expression: str, expected: Json) -> None:
    assert _value(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "#stage('Nope')",
        "#judgment('Deploy')",
        "#readJson('5')",
        "#readYaml('a: !!python/object:os.system {}')",
        "#readYaml('--- 1\n--- 2')",
        "#fromBase64('%%')",
        "#pipelineId('unknown')",
        "#fromUrl('file:///etc/passwd')",
        "#fromUrl('https://example.com/broken')",
        "#toJson('${' + 'a}')",
    ],
)
def test_a_function_that_fails_leaves_the_text_and_says_why(expression: str) -> None:
    evaluated = template.evaluate(f"${{{expression}}}", root.at_stage(_EXECUTION, "2"), lookup=_Answers())

    assert [failure.kind for failure in evaluated.failures] == [Kind.FUNCTION_FAILED]
    assert evaluated.failures[0].message


def test_questions_to_the_outside_fail_clearly_without_a_lookup() -> None:
    (failure,) = template.evaluate("${#fromUrl('https://example.com/')}", root.plain({})).failures

    assert (failure.kind, "isn't possible here" in failure.message) == (Kind.FUNCTION_FAILED, True)


def test_yaml_merges_that_stand_for_too_much_are_refused() -> None:
    keys = ", ".join(f"k{number}: 1" for number in range(1_000))
    bomb = f"a: &a {{{keys}}}\n" + "".join(f"b{number}: {{<<: *a}}\n" for number in range(201))
    (failure,) = template.evaluate("${#readYaml(bomb)}", root.plain({"bomb": bomb})).failures

    assert "merge keys" in failure.message


def test_yaml_that_merges_the_same_map_again_and_again_holds_its_keys_once() -> None:
    text = "a0: &a0 {x: 1}\n" + "".join(
        f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 12)
    )
    evaluated = template.evaluate("${#readYaml(text)}", root.plain({"text": text}))

    assert evaluated.value == {f"a{i}": {"x": 1} for i in range(12)}


def test_yaml_aliases_that_would_explode_are_refused() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    (failure,) = template.evaluate("${#readYaml(bomb)}", root.plain({"bomb": bomb})).failures

    assert failure.kind is Kind.FUNCTION_FAILED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${#stage('x')}", "${#stage( #root.execution, 'x')}"),
        ("#stage(a) in text", "#stage( #root.execution, a) in text"),
        ("${#stage ('x')}", "${#stage ('x')}"),
        ("#stage( #root.execution, 'a') #stage('b')", "#stage( #root.execution, 'a') #stage('b')"),
        ("#stageExists('a')", "#stageExists( #root.execution, 'a')"),
        ("a deployedServerGroups b", "a #deployedServerGroups( #root.execution) b"),
        ("#toInt('1')", "#toInt('1')"),
    ],
)
def test_the_execution_is_written_into_calls_textually(text: str, expected: str) -> None:
    assert rewritten(text, FUNCTIONS) == expected


def test_functions_can_be_added() -> None:
    twice = Function(parameters=("int",), code=lambda call, number: number * 2)

    assert _value("#twice('21')", functions={**FUNCTIONS, "twice": twice}) == 42


@pytest.mark.parametrize(
    ("expression", "kind"),
    [("#nope()", Kind.FUNCTION_MISSING), ("#toInt()", Kind.FUNCTION_ARITY), ("#toInt({:})", Kind.CONVERSION)],
)
def test_a_call_that_does_not_fit_is_told_apart(expression: str, kind: Kind) -> None:
    (failure,) = template.evaluate(f"${{{expression}}}", root.plain({})).failures

    assert failure.kind is kind
