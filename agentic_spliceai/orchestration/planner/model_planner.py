"""The planner with a language model: it fills a form, and the form goes through the offline planner's checks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agentic_spliceai.orchestration.planner.draft import MissingField
from agentic_spliceai.orchestration.planner.intents import Intent, IntentKind
from agentic_spliceai.orchestration.planner.known import known_text
from agentic_spliceai.orchestration.planner.offline import explain
from agentic_spliceai.orchestration.planner.plan_request import PlanRequest, completed
from agentic_spliceai.records.plan import ExperimentPlan
from agentic_spliceai.tools.experiments import PlanError
from agentic_spliceai.tools.prompting import load_prompt
from agentic_spliceai.tools.spec import describe_validation
from agentic_spliceai.tools.vocabulary import Vocabulary, vocabulary

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage

#: How often a plan that does not fit is sent back with what is wrong.
REPAIRS = 2


class ModelPlanner:
    """Plans with a chat model.

    Parameters
    ----------
    model
        The chat model.
    name
        Its name, for the record.
    words
        What can be named; by default what this installation has.
    """

    def __init__(self, model: BaseChatModel, *, name: str, words: Vocabulary | None = None) -> None:
        self.name = f"model:{name}"
        self._model = model
        self._words = words or vocabulary()
        self.calls = 0

    def understand(self, text: str) -> Intent:
        """Return the plan of a request; where the model does not manage, a question to the person.

        Raises
        ------
        Exception
            Whatever the model's client raises.
        """
        from langchain_core.messages import HumanMessage, SystemMessage

        schema = json.dumps(PlanRequest.model_json_schema(), sort_keys=True)
        system, request = load_prompt("plan_experiment").messages(
            schema=schema, known=known_text(self._words), request=text
        )
        messages: list[BaseMessage] = [SystemMessage(system), HumanMessage(request)]
        problem = "the language model gave no plan"
        refusals: tuple[Any, ...] = ()
        for _ in range(1 + REPAIRS):
            self.calls += 1
            answer = self._model.invoke(messages)
            try:
                asked = PlanRequest.model_validate(_object(answer))
            except (ValidationError, ValueError) as error:
                problem = describe_validation(error) if isinstance(error, ValidationError) else str(error)
            else:
                done = completed(asked, text, self._words, planner=self.name)
                if done.plan is not None:
                    return Intent(kind=IntentKind.PLAN_EXPERIMENT, text=text, plan=done.plan, planner=self.name)
                if done.missing:
                    return Intent(
                        kind=IntentKind.PLAN_EXPERIMENT, text=text, missing=tuple(done.missing), planner=self.name
                    )
                refusals = tuple(done.refusals)
                problem = " ".join(f"{refusal.message} {refusal.advice}" for refusal in refusals)
            messages = [
                messages[0],
                messages[1],
                HumanMessage(f"Your plan cannot be used: {problem} Return the whole JSON object again, corrected."),
            ]
        question = MissingField(
            field="request", why="The language model gave no plan that can be used. Say it in other words?"
        )
        return Intent(
            kind=IntentKind.PLAN_EXPERIMENT,
            text=text,
            missing=(question,),
            refusals=refusals,
            notes=(problem[:500],),
            planner=self.name,
        )

    def plan(self, request: str) -> ExperimentPlan:
        """Return the plan of a request.

        Raises
        ------
        PlanError
            If there is none after the repairs; questions and reasons are in the message.
        """
        intent = self.understand(request)
        if intent.plan is None:
            raise PlanError(*explain(intent))
        return intent.plan


def _object(answer: AIMessage) -> Any:
    """Return the JSON object of an answer: a tool call's arguments, or its text, with or without a code fence."""
    if answer.tool_calls:
        return answer.tool_calls[0]["args"]
    text = str(answer.text).strip()
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise ValueError("it holds no JSON object")
    try:
        return json.loads(text[start : end + 1])
    except ValueError as error:
        raise ValueError(f"it is no JSON: {error}") from None
