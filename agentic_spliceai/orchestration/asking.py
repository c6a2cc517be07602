"""How a step gets a person's answer: at once from an asker, or by pausing the run until there is one."""

from __future__ import annotations

from typing import Any

from langgraph.types import interrupt
from pydantic import JsonValue, ValidationError

from agentic_spliceai.orchestration.errors import AnswerError, CheckpointError, SecondQuestionError
from agentic_spliceai.tools.interaction import Answer, Asker, NoOneToAskError, Question


def check_answer(question: Question, answer: Answer) -> Answer:
    """Return the answer; raises `AnswerError` if it is none of the question's choices."""
    if answer.choice not in question.choices:
        raise AnswerError(
            f"{answer.choice!r} is no answer to: {question.title}", f"Answer one of: {', '.join(question.choices)}."
        )
    return answer


class StepAsker:
    """Asks for one call of one tool.

    Parameters
    ----------
    step
        Which step asks.
    ask
        Answers at once, or refuses with `NoOneToAskError`.
    pauses
        Whether the run can pause where `ask` refuses.
    """

    def __init__(self, step: str, ask: Asker, *, pauses: bool) -> None:
        self._step = step
        self._ask = ask
        self._pauses = pauses
        self._asked = False

    def __call__(self, question: Question) -> Answer:
        """Return the answer, or leave the step by LangGraph's interrupt.

        Raises
        ------
        AnswerError
            If the answer is none of the choices.
        NoOneToAskError
            If nobody answers at once and the run cannot pause.
        SecondQuestionError
            If the tool has asked before in this call.
        """
        if self._asked:
            raise SecondQuestionError(f"step {self._step!r} asks twice: {question.title}")
        self._asked = True
        try:
            return check_answer(question, self._ask(question))
        except NoOneToAskError:
            if not self._pauses:
                raise
        return self._pause(question)

    def _pause(self, question: Question) -> Answer:
        asked = question.model_dump(mode="json")
        # The step runs again from its top when the answer is there. What was answered is kept with the answer, so that
        # a yes to one question is never taken for a yes to another, should the step come to ask something else.
        while True:
            given = interrupt({"step": self._step, "question": asked})
            if given["question"] == asked:
                return check_answer(question, Answer.model_validate(given["answer"]))


def read_question(value: Any) -> tuple[str, Question]:
    """Return the step and the question of an interrupt; raises `CheckpointError` if it holds none."""
    try:
        return str(value["step"]), Question.model_validate(value["question"])
    except (KeyError, TypeError, ValidationError) as error:
        raise CheckpointError("the run waits for something that is no question.", "Run it again.") from error


def resume_value(question: Question, answer: Answer) -> dict[str, JsonValue]:
    """Return what `interrupt` gives to the step."""
    return {"question": question.model_dump(mode="json"), "answer": answer.model_dump(mode="json")}
