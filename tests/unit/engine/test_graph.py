"""The graph of an execution's stages: requisites, followers, families."""

import random  # noqa: TID251 - seeded
from collections.abc import Mapping
from typing import cast

from msgspec.structs import replace
from tests.make import AT, RULES, child, execution, stage_json
from tests.playbook import stage_id

from gennaker.engine import graph
from gennaker.engine.draft import Draft
from gennaker.engine.synthetics import plant
from gennaker.model.execution import Execution, Side, Stage, StageMap
from gennaker.model.statuses import Status


def test_a_graph_is_found_again_while_no_stage_comes_or_goes() -> None:
    found = execution(stage_json("a"), stage_json("b", "a"))

    assert graph.of(found) is graph.of(Execution(head=found.head, stages=found.stages))


def test_a_changed_graph_is_the_one_that_building_it_anew_gives() -> None:
    found = execution(stage_json("a"), stage_json("b", "a"))
    draft = Draft(found, at=AT, rules=RULES)
    one, two = plant(draft, draft.stages[stage_id("a")], Side.BEFORE, [child("one"), child("two", 0)])
    plant(draft, one, Side.AFTER, [child("deep")])
    grown = draft.execution()
    draft.remove([one])
    shrunk = draft.execution()

    for changed in (grown, shrunk):
        known = graph.of(changed)
        order = (*changed.head.stage_order, "")[:-1]  # the same order under another identity: nothing is remembered
        assert order is not changed.head.stage_order
        assert graph.of(replace(changed, head=replace(changed.head, stage_order=order))) == known
    assert [stage.id for stage in graph.children(graph.of(shrunk), shrunk.stages, stage_id("a"))] == [two.id]
    assert len(graph.descendants(graph.of(grown), grown.stages, stage_id("a"))) == 3


def test_a_stage_is_as_deep_as_the_stages_that_it_is_within() -> None:
    found = execution(stage_json("a"))
    draft = Draft(found, at=AT, rules=RULES)
    (one,) = plant(draft, draft.stages[stage_id("a")], Side.BEFORE, [child("one")])
    (deep,) = plant(draft, one, Side.AFTER, [child("deep")])

    depths = [graph.depth(draft.stages, stage) for stage in (draft.stages[stage_id("a")], one, deep)]

    assert depths == [0, 1, 2]


def test_what_requires_a_stage_that_does_not_exist_waits_for_none() -> None:
    found = execution(stage_json("a"), stage_json("b", "a", "nowhere"))

    assert not graph.waits_for_active(graph.of(found), found.stages, found.stages[stage_id("b")])


def test_a_stage_is_ready_when_all_that_it_requires_let_it_go_on() -> None:
    found = execution(stage_json("a"), stage_json("b", "a"), stage_json("c", "nowhere"))
    relations = graph.of(found)

    ready = [one.name for one in found.in_order() if graph.is_ready(relations, found.stages, one)]

    assert ready == ["a"]


def test_a_join_waits_for_whichever_branch_is_still_being_worked_on() -> None:
    found = execution(stage_json("a"), stage_json("b"), stage_json("join", "a", "b"))
    relations = graph.of(found)
    join = found.stages[stage_id("join")]

    def after(**statuses: Status) -> tuple[bool, bool]:
        stages = found.stages
        for ref, status in statuses.items():
            stages = stages.set(stage_id(ref), replace(stages[stage_id(ref)], status=status))
        return graph.is_ready(relations, stages, join), graph.waits_for_active(relations, stages, join)

    # In this order, so that each look begins where another one ended.
    assert after(a=Status.SUCCEEDED, b=Status.RUNNING) == (False, True)
    assert after(a=Status.RUNNING, b=Status.SUCCEEDED) == (False, True)
    assert after(a=Status.SUCCEEDED, b=Status.TERMINAL) == (False, False)
    assert after(a=Status.SUCCEEDED, b=Status.FAILED_CONTINUE) == (True, False)
    assert after(a=Status.STOPPED, b=Status.SUCCEEDED) == (False, False)
    # Whichever the look begins with: a replay begins elsewhere than the run itself.
    assert after(a=Status.TERMINAL, b=Status.RUNNING) == (False, False)
    assert after(a=Status.RUNNING, b=Status.TERMINAL) == (False, False)
    assert after(a=Status.RUNNING, b=Status.RUNNING) == (False, True)
    assert after(a=Status.CANCELED, b=Status.RUNNING) == (False, False)


def test_everything_downstream_is_found_once() -> None:
    found = execution(stage_json("a"), stage_json("b", "a"), stage_json("c", "a"), stage_json("d", "b", "c"))

    names = [one.name for one in graph.all_downstream(graph.of(found), found.stages, found.stages[stage_id("a")])]

    assert sorted(names) == ["b", "c", "d"]


def test_what_a_stage_requires_comes_in_the_order_in_which_it_names_it_without_what_is_unknown() -> None:
    found = execution(stage_json("a"), stage_json("b"), stage_json("c", "b", "nowhere", "a"))
    relations = graph.of(found)

    required = graph.requisites(relations, found.stages, found.stages[stage_id("c")])

    assert [one.ref_id for one in required] == ["b", "a"]
    assert graph.requisites(relations, found.stages, found.stages[stage_id("a")]) == []


def test_a_part_is_ready_when_the_parts_that_it_requires_are_all_there_and_let_it_go_on() -> None:
    draft = Draft(execution(stage_json("a")), at=AT, rules=RULES)
    one, two = plant(draft, draft.stages[stage_id("a")], Side.BEFORE, [child("one"), child("two", 0)])

    def is_ready(stage: Stage) -> bool:
        return graph.is_ready(draft.graph, draft.stages, stage)

    assert (is_ready(one), is_ready(two)) == (True, False)
    assert graph.requisites(draft.graph, draft.stages, two) == [one]
    assert graph.downstream(draft.graph, draft.stages, one) == [two]
    draft.put(replace(one, status=Status.SUCCEEDED))
    assert is_ready(two)
    lost = replace(two, requisite_ref_ids=(*two.requisite_ref_ids, "nowhere"))
    assert not is_ready(lost)
    assert graph.requisites(draft.graph, draft.stages, lost) == [draft.stages[one.id]]


def test_a_stage_waits_for_a_paused_one_too() -> None:
    draft = Draft(execution(stage_json("a"), stage_json("b", "a")), at=AT, rules=RULES)
    a, b = draft.in_order()

    def waits(status: Status) -> bool:
        draft.put(replace(a, status=status))
        return graph.waits_for_active(draft.graph, draft.stages, b)

    assert [waits(one) for one in (Status.PAUSED, Status.RUNNING, Status.TERMINAL, Status.SUCCEEDED)] == [
        *(True, True, False, False)
    ]


def family(count: int, requires: Mapping[int, list[int]], statuses: Mapping[int, Status]) -> Draft:
    """A draft whose stage `a` has before-stages, some of which require a stage that doesn't exist (by a number beyond)."""
    draft = Draft(execution(stage_json("a")), at=AT, rules=RULES)
    made = plant(draft, draft.stages[stage_id("a")], Side.BEFORE, [child(str(n)) for n in range(count)])
    refs = dict(enumerate(one.ref_id for one in made))
    for n, one in enumerate(made):
        required = tuple(refs.get(each, "nowhere") for each in requires.get(n, ()))
        draft.put(replace(one, requisite_ref_ids=required, status=statuses.get(n, Status.NOT_STARTED)))
    return draft


def is_blocked(
    n: int, requires: Mapping[int, list[int]], statuses: Mapping[int, Status], above: frozenset[int]
) -> bool:
    """What `graph.blocked` says of the nth of a family, by its definition."""
    for each in requires[n]:
        status = statuses.get(each)
        if status is None or (status.is_complete and not status.satisfies_downstream):
            return True
        if status is Status.NOT_STARTED and each not in above and is_blocked(each, requires, statuses, above | {each}):
            return True
    return False


def test_blocked_are_those_that_require_what_ended_badly_or_is_nowhere_through_whatever_has_not_started() -> None:
    chance = random.Random(7)
    for _ in range(300):
        count = chance.randint(1, 7)
        requires = {n: chance.choices(range(count + 1), k=chance.choice((0, 1, 1, 2))) for n in range(count)}
        statuses = {n: chance.choice([*Status, *[Status.NOT_STARTED] * 20]) for n in range(count)}
        draft = family(count, requires, statuses)

        blocked = graph.blocked(draft.graph, draft.stages, stage_id("a"))

        named = {draft.stages[one].name for one in blocked}
        assert named == {str(n) for n in range(count) if is_blocked(n, requires, statuses, frozenset({n}))}


def test_each_of_a_long_row_of_stages_is_looked_at_once() -> None:
    draft = family(400, {n: [n - 1] for n in range(1, 400)}, {})
    looked: list[str] = []

    class Looked:
        def __getitem__(self, key: str) -> Stage:
            looked.append(key)
            return draft.stages[key]

    found = graph.blocked(draft.graph, cast("StageMap", Looked()), stage_id("a"))  # as much of it as is needed

    assert (found, len(looked)) == (frozenset(), 400)
