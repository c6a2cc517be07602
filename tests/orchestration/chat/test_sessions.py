"""Conversations that are kept, cut off and taken up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentic_spliceai.orchestration.chat.events import ChatEvent
from agentic_spliceai.records.errors import UnknownRecordError
from tests.orchestration.chat.toys import answer, chat, jobs

REQUEST = "train the CNN on MFASS with 2 seeds"
ROOT = Path(__file__).resolve().parents[3]


def test_a_conversation_goes_on_in_another_process(tmp_path: Path) -> None:
    with chat(tmp_path) as session:
        name = session.id
        list(session.send(REQUEST))
        said = [message.content for message in session.messages]
    with chat(tmp_path, session_id=name[:6]) as session:
        assert [message.content for message in session.messages] == said
        assert "0.812 [E-" in answer(session.send("approve"))
    assert len(jobs(tmp_path)) == 1


def test_the_latest_conversation(tmp_path: Path) -> None:
    with chat(tmp_path) as session:
        list(session.send("help"))
        name = session.id
    with chat(tmp_path, session_id="latest") as session:
        assert session.id == name
    assert [one.id for one in session.resources.records.sessions.list()] == [name]
    session.resources.records.close()


def test_an_unknown_conversation(tmp_path: Path) -> None:
    with pytest.raises(UnknownRecordError):
        chat(tmp_path, session_id="0123")


def test_a_waiting_plan_is_shown_again(tmp_path: Path) -> None:
    with chat(tmp_path) as session:
        list(session.send(REQUEST))
        waiting = session.waiting
    with chat(tmp_path, session_id="latest") as session:
        events: list[ChatEvent] = list(session.catch_up())
        assert [event.kind for event in events if event.kind == "approval"] == ["approval"]
        assert session.waiting == waiting


def test_an_unanswered_message_is_answered(tmp_path: Path) -> None:
    with chat(tmp_path) as session:
        session.resources.records.sessions.add_message(session.id, "user", "text", "help")
    with chat(tmp_path, session_id="latest") as session:
        assert "offline planner" in answer(session.catch_up())
        assert list(session.catch_up()) == []


KILLED = """\
import sys
from pathlib import Path
from tests.orchestration.chat import toys
from agentic_spliceai.orchestration.askers import approve_all
import os, signal

folder, where = Path(sys.argv[1]), sys.argv[2]
with toys.chat(folder, ask=approve_all) as session:
    for event in session.send("train the CNN on MFASS with 2 seeds"):
        print(event.kind, getattr(event, "name", ""), flush=True)
        if f"{event.kind}:{getattr(event, 'name', '')}" == where:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(where, marks=[] if where in ("plan:", "tool_ended:submit") else pytest.mark.slow)
        for where in (
            "plan:",
            "answer:",
            "tool_started:approve",
            "tool_ended:approve",
            "tool_started:submit",
            "tool_ended:submit",
            "tool_started:explain",
            "tool_ended:explain",
        )
    ],
)
def test_killed_anywhere_it_goes_on_with_one_job(tmp_path: Path, where: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), where],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stdout + process.stderr
    from agentic_spliceai.orchestration.askers import approve_all

    with chat(tmp_path, session_id="latest", ask=approve_all) as session:
        assert session.messages[0].content == REQUEST
        told = answer(session.catch_up())
        assert "0.812 [E-" in told
        assert len({message.content for message in session.messages if message.kind == "plan"}) == 1
        assert session.waiting is None
        assert list(session.catch_up()) == []
    assert len(jobs(tmp_path)) == 1


def test_watching_can_be_stopped_and_taken_up(tmp_path: Path) -> None:
    from agentic_spliceai.orchestration.askers import approve_all

    with chat(tmp_path, ask=approve_all) as session:
        events = session.send(REQUEST)
        for event in events:
            if event.kind == "tool_started":
                events.close()  # what Ctrl-C does to the reader
                break
        time.sleep(0.1)
        assert "0.812 [E-" in answer(session.send("continue"))
    assert len(jobs(tmp_path)) == 1
