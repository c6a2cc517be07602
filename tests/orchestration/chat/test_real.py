"""The whole dialogue with a scripted language model: plan, approval, a real experiment on this machine, an answer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from agentic_spliceai.orchestration.chat.events import AnswerEvent, ErrorEvent, StatusEvent
from agentic_spliceai.orchestration.chat.model import ModelEngine
from agentic_spliceai.orchestration.chat.session import ChatSession
from agentic_spliceai.orchestration.chat.writer import ModelWriter
from tests.orchestration.chat.scripted import ScriptedModel, calls, says
from tests.orchestration.chat.toys import kinds, resources

PLAN: dict[str, Any] = {
    "models": ["variant_aware"],
    "dataset": "minigene",
    "max_variants": 60,
    "seeds": [1],
    "training": {"max_epochs": 1},
}


def explained(messages: list[BaseMessage]) -> AIMessage:
    """Ask for the explanation of the run that the list shows."""
    listed = next(str(message.text) for message in reversed(messages) if isinstance(message, ToolMessage))
    found = re.search(r'"run_id":"([0-9a-f]+)"', listed)
    assert found is not None
    return calls("explain_result", 3, runs=[found[1]], question="how good is it")


def told(messages: list[BaseMessage]) -> AIMessage:
    """Answer with the evidence that the explanation gave."""
    result = next(str(message.text) for message in reversed(messages) if isinstance(message, ToolMessage))
    found = re.search(r'"id":"(E-[0-9a-f]{8})","kind":"figure","statement":"[^"]*pr_auc of altering, model"', result)
    assert found is not None, result[:2000]
    return says(f"The model reached {{{found[1]}}}.")


@pytest.mark.slow
def test_a_real_experiment_with_a_scripted_model(tmp_path: Path) -> None:
    script = [
        calls("propose_plan", **PLAN),
        says("Please look at the plan."),
        # What it writes about the result names a number of its own, twice: the rules write instead.
        says("It reached 0.99, which is splendid."),
        says("It reached 0.98, which is splendid."),
        calls("list_experiments", 2),
        explained,
        told,
    ]
    model = ScriptedModel(script=script)
    engine = ModelEngine(model, name="scripted")
    writer = ModelWriter(model, name="scripted")
    with ChatSession(resources(tmp_path), engine=engine, writer=writer) as session:
        events = list(session.send("train the variant-aware model on the simulated data, tiny"))
        assert kinds(events)[-2:] == ["approval", "status"], [e for e in events if isinstance(e, ErrorEvent)]
        events = list(session.send("approve"))
        (answer,) = [event for event in events if isinstance(event, AnswerEvent)]
        assert "splendid" not in answer.text
        assert answer.author == "rules"
        assert re.search(r"\[E-[0-9a-f]{8}\]", answer.text)
        *rest, status = session.send("how good is it?")
        (answer,) = [event for event in rest if isinstance(event, AnswerEvent)]
        assert answer.author == "scripted"
        assert re.fullmatch(r"The model reached 0\.\d+ \[E-[0-9a-f]{8}\]\.", answer.text)
        assert isinstance(status, StatusEvent)
        assert status.line.startswith("scripted · 3 model calls · 2 tool calls · ")
    assert model.script == []
