"""Messages: JSON on the way through Temporal, the same records on the other side."""

from datetime import UTC, datetime

import msgspec
import pytest

from gennaker.interfaces.shells import Parcel
from gennaker.worker.temporal.messages import Answer, Asked, Begin, Found, JsonPayloads, Performed, Wanted

AT = datetime(2026, 11, 24, 9, 30, 0, 123456, tzinfo=UTC)
PARCEL = Parcel(body='{"a": 1}', references="[]")


@pytest.mark.parametrize(
    "message",
    [
        Begin(execution_id="e", heartbeat_seconds=15.0),
        Found(asked=(Asked("e/1"), Asked("e/2", AT, is_performed=False, after="e/x/")), dropped=("e/0",), is_over=True),
        Wanted(execution_id="e", key="e/1", is_repeat=True),
        Performed(event=PARCEL),
        Performed(),
        Answer(execution_id="e", key="e/1", event=PARCEL),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_arrives_as_it_was_sent(message: msgspec.Struct) -> None:
    payloads = JsonPayloads()

    (arrived,) = payloads.from_payloads(payloads.to_payloads([message]), [type(message)])

    assert arrived == message


def test_messages_are_legible_in_temporals_own_tools() -> None:
    (payload,) = JsonPayloads().to_payloads([Found(asked=(Asked("e/1"),))])

    assert payload.metadata["encoding"] == b"json/plain"
    assert msgspec.json.decode(payload.data) == {"asked": [["e/1", None, True, ""]]}


def test_a_message_of_an_older_version_lacks_what_was_added_since() -> None:
    """As a history holds it that was begun before."""
    found = msgspec.json.decode(b'{"asked":[["e/1"]]}', type=Found)

    assert found == Found(asked=(Asked("e/1"),))


def test_ten_thousand_effects_fit_into_one_message() -> None:
    asked = tuple(Asked(f"01JEXECUTION0000000000000A/stage {number}/prepare/0/0", AT) for number in range(10_000))

    (payload,) = JsonPayloads().to_payloads([Found(asked=asked)])

    assert len(payload.data) < 2_000_000
