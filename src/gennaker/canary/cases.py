"""Cases: judges one case or many given as JSON text, for the command line and for comparing with other judges.

A case is `{config, metricSetPairs, thresholds}` in Kayenta's JSON; other keys are ignored. The answer is Kayenta's
`judgeResult`, or `{"problem": "…"}` where judging it is impossible: a result too. Only a text that holds no case is
refused. NaN and infinities are the texts "NaN", "Infinity"
and "-Infinity" both ways; bare NaN and Infinity, which some programs write, are read too.
"""

import json
from collections.abc import Mapping

from gennaker.canary.errors import CanaryError
from gennaker.canary.judge import judge
from gennaker.model import codec, foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem, Refused


def run_cases(text: str) -> str:
    """Judges the case, or each case of the array, that the text holds. Raises Refused where it holds neither."""
    try:
        # Not msgspec: it refuses 1e400, which Java (and this) reads as Infinity, and bare NaN.
        document: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(_malformed(f"aren't JSON: {codec.why_not_json(error, text.encode())}")) from error
    match document:
        case list():
            return json.dumps([run_case(case) for case in document])
        case dict():
            return json.dumps(run_case(document))
        case _:
            raise Refused(_malformed(f"must be an object or an array, not {foreign.described(document)}"))


def run_case(case: Json) -> JsonObject:
    """Kayenta's result of one case, or the problem that makes judging it impossible."""
    if not isinstance(case, Mapping):
        found = foreign.described(case)
        return {"problem": f"A case must be an object with config, metricSetPairs and thresholds, not {found}."}
    try:
        return judge(case.get("config"), case.get("metricSetPairs"), case.get("thresholds")).judge_result()
    except CanaryError as error:
        return {"problem": str(error)}


def _malformed(finding: str) -> Problem:
    return Problem(
        code="cases.malformed",
        message=f"The cases {finding}.",
        remedy="Give one case `{config, metricSetPairs, thresholds}`, or an array of cases.",
    )
