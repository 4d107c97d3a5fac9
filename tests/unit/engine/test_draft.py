"""Drafts: what a step changes, adds and takes out while it is in the making."""

from datetime import timedelta

from msgspec.structs import replace
from tests.make import AT, RULES, child, execution, stage_json
from tests.playbook import stage_id

from gennaker.engine import advance, graph, moves
from gennaker.engine.draft import Draft
from gennaker.engine.synthetics import plant
from gennaker.model.effect import PrepareStage, StartTimer
from gennaker.model.event import ResumeAsked
from gennaker.model.execution import Side, Stage


def drafted() -> Draft:
    return Draft(execution(stage_json("a"), stage_json("b", "a")), at=AT, rules=RULES)


def planted(draft: Draft, parent: str, side: Side, *names: str) -> list[Stage]:
    return plant(draft, draft.stages[parent], side, [child(name) for name in names])


def names(draft: Draft) -> list[str]:
    return [stage.name for stage in draft.in_order()]


def test_parts_stand_beside_their_stage_behind_those_of_the_same_side_with_all_below_them() -> None:
    draft = drafted()
    a = stage_id("a")

    planted(draft, a, Side.BEFORE, "before 1", "before 2")
    planted(draft, a, Side.BEFORE, "before 3")
    (first,) = planted(draft, a, Side.AFTER, "after 1")
    planted(draft, first.id, Side.AFTER, "below 1", "below 2")
    planted(draft, a, Side.AFTER, "after 2")

    assert names(draft) == [
        *("before 1", "before 2", "before 3", "a"),
        *("after 1", "below 1", "below 2", "after 2", "b"),
    ]


def test_the_graph_is_remembered_with_the_order_that_it_belongs_to() -> None:
    draft = drafted()

    planted(draft, stage_id("a"), Side.BEFORE, "one")

    assert graph.of(draft.execution()) is draft.graph


def test_a_stage_whose_parts_are_all_taken_out_has_none() -> None:
    draft = drafted()
    parts = planted(draft, stage_id("a"), Side.BEFORE, "one", "two")
    planted(draft, parts[0].id, Side.BEFORE, "deep")

    draft.remove(parts)

    built = replace(draft.head, stage_order=(*draft.head.stage_order, "")[:-1])
    assert draft.graph == graph.of(replace(draft.execution(), head=built))
    assert names(draft) == ["a", "b"]


def test_to_add_or_take_out_nothing_changes_nothing() -> None:
    draft = drafted()
    order, known = draft.head.stage_order, draft.graph

    draft.insert(stage_id("a"), Side.AFTER, [])
    draft.remove([])

    assert draft.head.stage_order is order
    assert draft.graph is known


def test_what_is_taken_out_has_not_changed_and_what_is_there_again_was_not_taken_out() -> None:
    draft = drafted()
    (one,) = planted(draft, stage_id("a"), Side.BEFORE, "one")

    draft.remove([one])
    gone = draft.step()
    draft.insert(stage_id("a"), Side.BEFORE, [one])
    back = draft.step()

    assert (gone.changed, gone.removed) == ((), (one.id,))
    assert (back.changed, back.removed) == ((one.id,), ())


def test_an_effect_is_wanted_or_dropped_as_was_said_last() -> None:
    draft = drafted()
    timer = StartTimer(key="timer", rings_at=AT + timedelta(minutes=1), about="a limit")

    draft.drop(timer.key)
    draft.emit(timer)
    wanted = draft.step()
    draft.drop(timer.key)
    dropped = draft.step()

    assert ([one.effect for one in wanted.effects], wanted.dropped) == ([timer], ())
    assert (dropped.effects, dropped.dropped) == ((), ("timer",))


def test_an_effect_that_was_dropped_is_gone_when_what_asked_for_it_again_is_answered() -> None:
    draft = drafted()
    asked = PrepareStage(key="k", stage_id=stage_id("a"))

    draft.drop("k")
    draft.begin(AT)
    draft.emit(asked)
    again = draft.step()
    draft.answered("k")

    assert [one.effect for one in again.effects] == [asked]
    assert (again.dropped, draft.step().dropped, draft.step().effects) == ((), ("k",), ())


def test_it_wants_what_was_asked_for_until_that_is_answered() -> None:
    draft = drafted()
    draft.emit(PrepareStage(key="k", stage_id=stage_id("a")))

    assert draft.wants("k")
    draft.answered("k")
    assert not draft.wants("k")


def test_of_an_event_that_turns_out_to_be_ignored_nothing_is_left_but_what_came_before() -> None:
    draft = drafted()
    draft.put_context(stage_id("a"), {"earlier": True})
    draft.emit(PrepareStage(key="earlier", stage_id=stage_id("a")))
    draft.begin(AT)
    version = draft.head.version
    draft.put_context(stage_id("b"), {"half": True})
    draft.drop("earlier")
    draft.emit(PrepareStage(key="half", stage_id=stage_id("b")))
    draft.then(moves.StartStage(stage_id=stage_id("a")))

    ignored = advance.apply(draft, ResumeAsked(at=AT, by="ada"))

    step = draft.step(ignored)
    assert step.ignored == "only a paused execution can be resumed; this one is NOT_STARTED"
    assert (step.changed, [one.effect.key for one in step.effects], step.dropped) == ((stage_id("a"),), ["earlier"], ())
    assert "half" not in draft.stages[stage_id("b")].context
    assert (draft.emitted(), draft.head.version) == ((), version)
