"""A language model as a writer of summaries; what it writes is checked by whoever asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentic_spliceai.orchestration.chat.providers import explained
from agentic_spliceai.tools.interaction import WriterError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


class ModelWriter:
    """Writes with a chat model.

    Parameters
    ----------
    model
        The chat model.
    name
        Its name, for the record.
    most_calls
        Calls of one process, so that nothing that repeats itself costs without end.
    """

    def __init__(self, model: BaseChatModel, *, name: str, most_calls: int = 100) -> None:
        self._model, self.name, self._left = model, name, most_calls

    def write(self, system: str, request: str) -> str:
        """Return the model's text.

        Raises
        ------
        WriterError
            If it cannot be reached, or the limit is used up.
        """
        from langchain_core.messages import HumanMessage, SystemMessage

        if self._left <= 0:
            raise WriterError(f"{self.name} has been called as often as it may be.", "Begin a new conversation.")
        self._left -= 1
        try:
            answer = self._model.invoke([SystemMessage(system), HumanMessage(request)])
        except Exception as error:
            failed = explained(error, self.name)
            raise WriterError(failed.message, failed.advice) from error
        return str(answer.text)
