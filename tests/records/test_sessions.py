"""Conversations in the database."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from agentic_spliceai.records.errors import UnknownRecordError
from agentic_spliceai.records.sessions import SessionStore
from agentic_spliceai.records.store import RecordStore


@pytest.fixture
def sessions(database_url: str) -> Iterator[SessionStore]:
    store = RecordStore(database_url, busy_timeout=20)
    yield store.sessions
    store.close()


def test_a_conversation_goes_on_where_it_stopped(sessions: SessionStore) -> None:
    begun = sessions.create("Gated CNN or HyenaDNA?", "offline")
    assert sessions.add_message(begun.id, "user", "text", "compare them") == 1
    assert sessions.add_message(begun.id, "assistant", "plan", "Shall I?", {"plan": "ab12", "arms": [1, 2]}) == 2
    sessions.touch(begun.id, tool_calls=2, cost_usd=0.25, evidence=3)
    after = sessions.touch(begun.id, model_calls=1, tool_calls=1, title="Gates")
    assert (after.model_calls, after.tool_calls, after.cost_usd, after.evidence) == (1, 3, 0.25, 3)
    assert after == sessions.get(begun.id[:5]) == sessions.get("latest")
    assert (after.title, after.model) == ("Gates", "offline")
    messages = sessions.messages("latest")
    assert [(one.sequence, one.role, one.kind, one.content) for one in messages] == [
        (1, "user", "text", "compare them"),
        (2, "assistant", "plan", "Shall I?"),
    ]
    assert [one.payload for one in messages] == [None, {"plan": "ab12", "arms": [1, 2]}]


def test_the_latest_is_the_one_that_was_used_last(sessions: SessionStore) -> None:
    with pytest.raises(UnknownRecordError, match="there is no conversation yet"):
        sessions.get("latest")
    first, second = sessions.create("one", "offline"), sessions.create("two", "offline")
    assert [one.id for one in sessions.list()] == [second.id, first.id]
    sessions.add_message(first.id, "user", "text", "hello")
    assert [one.id for one in sessions.list()] == [first.id, second.id]
    assert sessions.get("latest").id == first.id
    assert [one.id for one in sessions.list(1)] == [first.id]


def test_unknown_conversations(sessions: SessionStore) -> None:
    sessions.create("one", "offline")
    for nobody in ("", "zz", "%"):
        with pytest.raises(UnknownRecordError, match="there is no conversation"):
            sessions.messages(nobody)
    with pytest.raises(UnknownRecordError, match="there is no conversation 'zz'"):
        sessions.add_message("zz", "user", "text", "hello")


def test_any_text_is_kept(sessions: SessionStore) -> None:
    begun = sessions.create("c.790+1G>A \udcff", "offline")
    sessions.add_message(begun.id, "user", "text", "nul \x00, half \ud83e, whole 🧬, '; DROP TABLE run; --")
    (message,) = sessions.messages(begun.id)
    assert message.content == "nul \N{REPLACEMENT CHARACTER}, half ?, whole 🧬, '; DROP TABLE run; --"
    assert sessions.get(begun.id).title == "c.790+1G>A ?"


def test_two_writers_share_a_conversation(sessions: SessionStore) -> None:
    begun = sessions.create("both", "offline")
    given: list[int] = []

    def write(name: str) -> None:
        for number in range(20):
            given.append(sessions.add_message(begun.id, "user", "text", f"{name} {number}"))
            sessions.touch(begun.id, tool_calls=1)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == list(range(1, 41))
    assert [one.sequence for one in sessions.messages(begun.id)] == list(range(1, 41))
    assert sessions.get(begun.id).tool_calls == 40
