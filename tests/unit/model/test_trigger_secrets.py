"""Trigger secrets: masked for whoever reads a pipeline, and kept where the mask comes back."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.model.trigger_secrets import MASK, masked, masked_trigger, unmasked

SHOP: JsonObject = {"type": "git", "source": "github", "project": "acme", "slug": "shop", "secret": "one"}
CART: JsonObject = {**SHOP, "slug": "cart", "secret": "two"}
CRON: JsonObject = {"type": "cron", "cronExpression": "0 0 * * * ?"}


def pipeline(*triggers: object) -> JsonObject:
    return {"name": "p", "triggers": list(triggers)}  # type: ignore[arg-type]  # anything that JSON can hold


def test_secrets_are_masked_and_nothing_else_is_changed() -> None:
    stored = pipeline(SHOP, CRON, "no trigger", {**CART, "secret": 5})

    assert masked(stored) == pipeline({**SHOP, "secret": MASK}, CRON, "no trigger", {**CART, "secret": MASK})
    assert stored == pipeline(SHOP, CRON, "no trigger", {**CART, "secret": 5})


@pytest.mark.parametrize("body", [{}, {"triggers": None}, {"triggers": {}}, pipeline(CRON, {**SHOP, "secret": ""})])
def test_without_secrets_there_is_nothing_to_mask(body: JsonObject) -> None:
    assert masked(body) == body
    assert unmasked(body, None) == body


def test_a_trigger_alone_is_masked() -> None:
    assert masked_trigger(SHOP) == {**SHOP, "secret": MASK}
    assert masked_trigger(CRON) == CRON


fields = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["git", "docker"]),
        "slug": st.sampled_from("ab"),
        "secret": st.sampled_from(["", "x", "y"]),
    }
)


@given(triggers=st.lists(fields, max_size=5))
def test_what_was_read_can_be_saved_back_unchanged(triggers: list[JsonObject]) -> None:
    stored = pipeline(*triggers)

    assert unmasked(masked(stored), stored) == stored


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_secrets_follow_their_triggers_to_other_places(order: tuple[int, ...]) -> None:
    stored = pipeline(SHOP, CRON, CART)
    read = masked(stored)["triggers"]
    assert isinstance(read, list)

    saved = unmasked(pipeline(*(read[place] for place in order)), stored)

    assert saved == pipeline(*([SHOP, CRON, CART][place] for place in order))


@pytest.mark.parametrize(
    "change",
    [
        {"branch": "main"},
        {"enabled": False},
        {"slug": "till", "branch": "main"},
    ],
)
def test_an_edited_trigger_keeps_its_secret(change: JsonObject) -> None:
    assert unmasked(pipeline({**SHOP, **change, "secret": MASK}), pipeline(SHOP, CRON)) == pipeline({**SHOP, **change})


def test_a_trigger_with_an_id_keeps_its_secret_whatever_else_is_edited() -> None:
    stored = pipeline({**SHOP, "id": "1"}, {**CART, "id": "2"})

    saved = unmasked(pipeline({**CART, "id": "1", "secret": MASK}, {**SHOP, "id": "2", "secret": MASK}), stored)

    assert saved == pipeline({**CART, "id": "1", "secret": "one"}, {**SHOP, "id": "2", "secret": "two"})


def test_one_of_several_is_kept_where_the_others_go() -> None:
    edited: JsonObject = {**CART, "branch": "main"}

    assert unmasked(pipeline({**edited, "secret": MASK}), pipeline(SHOP, CART)) == pipeline(edited)


def test_a_new_secret_replaces_the_old_and_none_removes_it() -> None:
    stored = pipeline(SHOP, CART)

    assert unmasked(pipeline({**SHOP, "secret": "new"}), stored) == pipeline({**SHOP, "secret": "new"})
    assert unmasked(pipeline({**SHOP, "secret": ""}), stored) == pipeline({**SHOP, "secret": ""})


@pytest.mark.parametrize(
    ("trigger", "stored"),
    [
        (SHOP, None),
        (SHOP, pipeline(CRON)),
        (SHOP, pipeline({**SHOP, "secret": ""})),
        ({**SHOP, "slug": "till"}, pipeline(SHOP, CART)),
        (CRON, pipeline(SHOP)),
    ],
)
def test_a_mask_that_stands_for_nothing_or_for_several_is_refused(
    trigger: JsonObject, stored: JsonObject | None
) -> None:
    with pytest.raises(Refused) as refused:
        unmasked(pipeline(CRON, {**trigger, "secret": MASK}, "x", {**trigger, "secret": MASK}), stored)

    assert refused.value.status == 422
    assert [(one.code, one.pointer) for one in refused.value.problems] == [
        ("trigger.secret_masked", "/triggers/1/secret"),
        ("trigger.secret_masked", "/triggers/3/secret"),
    ]
