"""The real client of OpenAI's protocol, against a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agentic_spliceai.orchestration.chat.events import ChatEvent, ErrorEvent, StatusEvent, ToolEnded
from agentic_spliceai.orchestration.chat.model import Limits, ModelEngine
from agentic_spliceai.orchestration.chat.providers import Price, open_model
from agentic_spliceai.orchestration.chat.session import ChatSession
from agentic_spliceai.splice_engine.errors import MissingExtraError, SettingError
from tests.orchestration.chat import toys
from tests.orchestration.chat.openai_server import Played, Reply, openai_server
from tests.orchestration.planner.toys import WORDS

PLAN = json.dumps({"models": ["cnn"], "dataset": "mfass", "seeds": [1, 2]})


def chat(folder: Path, server: Played, **options: Any) -> ChatSession:
    model = open_model("openai:toy", base_url=server.url, **options)
    limits = Limits(model_calls=4, tool_calls=3, retries=1, retry_delay=0.0)
    engine = ModelEngine(model, name="openai:toy", price=Price(1.0, 10.0), limits=limits, words=WORDS)
    return toys.chat(folder, engine=engine)


def errors(events: Sequence[ChatEvent]) -> list[ErrorEvent]:
    return [event for event in events if isinstance(event, ErrorEvent)]


def test_a_plan_through_the_real_client(tmp_path: Path) -> None:
    replies = (Reply(calls=(("propose_plan", PLAN),)), Reply("Please look at the plan."))
    with openai_server(*replies) as server, chat(tmp_path, server) as session:
        events = list(session.send("train the CNN on MFASS"))
        kinds = toys.kinds(events)
        assert "Please look at the plan." in toys.answer(events)
        assert kinds[-2:] == ["approval", "status"]
        status = events[-1]
        assert isinstance(status, StatusEvent)
        assert status.model_calls == 2
        assert status.cost_usd == pytest.approx(2 * (1000 * 1.0 + 100 * 10.0) / 1e6)
        assert {tool["function"]["name"] for tool in server.asked[0]["tools"]} >= {"propose_plan", "list_experiments"}
        assert toys.jobs(tmp_path) == []
        assert "0.812 [E-" in toys.answer(session.send("approve"))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_tried_again(tmp_path: Path, status: int) -> None:
    with openai_server(Reply(status=status), Reply("What is it?")) as server, chat(tmp_path, server) as session:
        assert toys.answer(session.send("hm")) == "What is it?"


@pytest.mark.parametrize(("status", "advice", "asked"), [(429, "wait", 2), (401, "key", 1), (400, "again", 1)])
def test_a_lasting_failure_is_said(tmp_path: Path, status: int, advice: str, asked: int) -> None:
    replies = [Reply(status=status)] * 3
    with openai_server(*replies) as server, chat(tmp_path, server) as session:
        (error,) = errors(list(session.send("hm")))
        assert error.code == "model"
        assert advice in error.advice
        assert "\x1b" not in error.message
        assert len(server.asked) == asked


def test_a_model_that_takes_too_long(tmp_path: Path) -> None:
    replies = [Reply("late", pause=1.0)] * 2
    with openai_server(*replies) as server, chat(tmp_path, server, timeout=0.2) as session:
        (error,) = errors(list(session.send("hm")))
        assert "too long" in error.advice


def test_arguments_that_are_no_json(tmp_path: Path) -> None:
    replies = (Reply(calls=(("propose_plan", '{"models": [cnn'),)), Reply("What is it?"))
    with openai_server(*replies) as server, chat(tmp_path, server) as session:
        events = list(session.send("train the CNN on MFASS"))
        assert "plan" not in toys.kinds(events)
        assert events[-1].kind == "status"


def test_an_unknown_tool(tmp_path: Path) -> None:
    replies = (Reply(calls=(("delete_everything", "{}"),)), Reply("Sorry."))
    with openai_server(*replies) as server, chat(tmp_path, server) as session:
        events = list(session.send("hm"))
        assert [event.ok for event in events if isinstance(event, ToolEnded)] == [False]
        assert errors(events) == []


def test_an_endless_loop_of_calls(tmp_path: Path) -> None:
    replies = [Reply(calls=(("list_experiments", "{}"),))] * 20
    with openai_server(*replies) as server, chat(tmp_path, server) as session:
        (error,) = errors(list(session.send("hm")))
        assert error.code == "limit"
        assert len(server.asked) == 4


def test_a_number_that_the_model_made_up(tmp_path: Path) -> None:
    with openai_server(Reply("The PR-AUC was 0.99.")) as server, chat(tmp_path, server) as session:
        assert "0.99" not in toys.answer(session.send("how good was it?"))


@pytest.mark.parametrize(
    ("name", "error", "told"),
    [
        ("gpt", SettingError, "names no provider"),
        ("nobody:gpt", SettingError, "unknown"),
        ("openai:gpt", SettingError, "OPENAI_API_KEY"),
        ("anthropic:claude", MissingExtraError, "agentic-spliceai\\[anthropic\\]"),
        ("ollama:llama", MissingExtraError, "agentic-spliceai\\[ollama\\]"),
    ],
)
def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception], told: str) -> None:
    import importlib.util

    real = importlib.util.find_spec
    absent = ("langchain_anthropic", "langchain_ollama")
    monkeypatch.setattr(importlib.util, "find_spec", lambda found: None if found in absent else real(found))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(error, match=told):
        open_model(name)


def test_a_price() -> None:
    assert Price.parse("0.15,0.60").cost(1_000_000, 500_000) == pytest.approx(0.45)
    for text in ("cheap", "1", "1,2,3", "-1,2"):
        with pytest.raises(SettingError):
            Price.parse(text)
