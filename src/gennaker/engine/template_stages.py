"""Template stages: a template's stages with those that the pipeline made from it replaces, adds or injects.

A stage of the same refId replaces the template's; one with `requisiteStageRefIds` is added; one with `inject` is put
first, last, before or after others, which are linked anew. Pure.
"""

from collections.abc import Mapping, Sequence

from gennaker.model import foreign
from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem


class Misplaced(Exception):
    """A stage can't be put where it should be."""

    def __init__(self, problem: Problem) -> None:
        """Says which and why."""
        super().__init__(str(problem))
        self.problem = problem


def combined(template: Sequence[JsonObject], own: Sequence[JsonObject]) -> list[JsonObject]:
    """All stages. Raises Misplaced."""
    stages = [dict(one) for one in template]
    places = {ref_id(one): place for place, one in enumerate(stages)}
    injected = [one for one in [*stages, *own] if _injection(one)]
    for one in own:
        if ref_id(one) in places:
            stages[places[ref_id(one)]] = dict(one)
        elif "requisiteStageRefIds" in one and not _injection(one):
            stages.append(dict(one))
        elif not _injection(one):
            raise Misplaced(_nowhere(one))
    for one in injected:
        stages = [other for other in stages if ref_id(other) != ref_id(one)]
        stage: JsonObject = {key: value for key, value in one.items() if key != "inject"}
        stages = _placed(stage, _injection(one), stages)
    circle = _circle(stages)
    if circle:
        raise Misplaced(
            Problem(
                code="template.cycle",
                message=f"The template's stages require each other in a circle: {' → '.join(circle)}.",
                remedy="Change `requisiteStageRefIds` or `inject` so that there is a beginning.",
                pointer="/stages",
            )
        )
    return stages


def ref_id(stage: JsonObject) -> str:
    """The stage's refId, or its id as older templates have it."""
    return str(stage.get("refId") or stage.get("id") or "")


def _injection(stage: JsonObject) -> JsonObject:
    rule = stage.get("inject")
    return rule if isinstance(rule, dict) and any(rule.values()) else {}


def _placed(stage: JsonObject, rule: JsonObject, stages: list[JsonObject]) -> list[JsonObject]:
    own = ref_id(stage)
    if foreign.flag(rule.get("first")):
        following = [{**one, **_requires([own])} if not requisites(one) else one for one in stages]
        return [{**stage, **_requires([])}, *following]
    if foreign.flag(rule.get("last")):
        required = {other for one in stages for other in requisites(one)}
        leaves = [ref_id(one) for one in stages if ref_id(one) not in required]
        return [*stages, {**stage, **_requires(leaves)}]
    targets = _targets(rule.get("before")) or _targets(rule.get("after"))
    places = [_place(stage, target, stages) for target in targets]
    if rule.get("before"):
        edges = list(dict.fromkeys(edge for place in places for edge in requisites(stages[place])))
        linked = [{**one, **_requires([own])} if ref_id(one) in targets else one for one in stages]
        where = min(places)
        return [*linked[:where], {**stage, **_requires(edges)}, *linked[where:]]
    linked = [{**one, **_requires(_swapped(requisites(one), targets, own))} for one in stages]
    where = max(places) + 1
    return [*linked[:where], {**stage, **_requires(targets)}, *linked[where:]]


def _swapped(required: list[str], targets: list[str], own: str) -> list[str]:
    """The requisites with the targets replaced by the stage that now follows them."""
    return list(dict.fromkeys(own if one in targets else one for one in required))


def _targets(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(one) for one in value] if isinstance(value, list) else []


def _place(stage: JsonObject, target: str, stages: list[JsonObject]) -> int:
    for place, one in enumerate(stages):
        if ref_id(one) == target:
            return place
    raise Misplaced(
        Problem(
            code="template.inject_target",
            message=f"Could not inject stage {ref_id(stage)!r}: unknown target stage id {target!r}.",
            remedy=f"The template's stages are {', '.join(ref_id(one) for one in stages)}.",
            pointer="/stages",
        )
    )


def requisites(stage: JsonObject) -> list[str]:
    """The refIds that the stage requires."""
    required = stage.get("requisiteStageRefIds")
    return [str(one) for one in required] if isinstance(required, list) else []


def _requires(refs: Sequence[str]) -> JsonObject:
    return {"requisiteStageRefIds": list[Json](refs)}


def _circle(stages: Sequence[JsonObject]) -> list[str]:
    """RefIds that require each other, the first one again at the end; empty: there is no circle."""
    known = {ref_id(one) for one in stages}
    left = {ref_id(one): {need for need in requisites(one) if need in known} for one in stages}
    following: dict[str, list[str]] = {}
    for ref, needs in left.items():
        for need in needs:
            following.setdefault(need, []).append(ref)
    ready = [ref for ref, needs in left.items() if not needs]
    for ref in ready:  # grows while it is read
        del left[ref]
        for one in following.get(ref, ()):
            left[one].discard(ref)
            if not left[one]:
                ready.append(one)
    return _walked(left) if left else []


def _walked(left: Mapping[str, set[str]]) -> list[str]:
    """A way from requisite to requisite until it comes back: what is left all requires something that is left."""
    walked: list[str] = []
    current = next(iter(left))
    while current not in walked:
        walked.append(current)
        current = min(left[current])
    return [*walked[walked.index(current) :], current]


def _nowhere(stage: JsonObject) -> Problem:
    return Problem(
        code="template.stage_nowhere",
        message=f"Stage {ref_id(stage)!r} of the pipeline neither replaces one of the template nor says where it belongs.",
        remedy="Give it `requisiteStageRefIds`, `inject`, or the refId of the stage that it replaces.",
        pointer="/stages",
    )
