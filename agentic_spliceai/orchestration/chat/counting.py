"""Counts every call of a language model, the failed ones too, and ends a turn that has made too many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from agentic_spliceai.orchestration.chat.turn import Turn
from agentic_spliceai.splice_engine.errors import SpliceEngineError

if TYPE_CHECKING:
    from langchain.agents.middleware import AgentMiddleware


class TooManyCallsError(SpliceEngineError):
    """The model was called as often as it may be in a turn."""

    code: ClassVar[str] = "limit"


class CallCounter:
    """Counts into a turn.

    Parameters
    ----------
    turn
        Whose calls are counted; a call that failed without an answer of the server makes its cost unknown.
    most
        Calls allowed.
    """

    def __init__(self, turn: Turn, most: int) -> None:
        self._turn, self.most, self._made = turn, most, 0
        self.failed: Exception | None = None
        """What the last failed call raised."""

    def call(self, request: Any, handler: Any) -> Any:
        """Make one call.

        Raises
        ------
        TooManyCallsError
            If as many were made as are allowed.
        """
        if self._made >= self.most:
            raise TooManyCallsError("the language model was called as often as it may be in a turn.", "Ask for less.")
        self._made += 1
        self._turn.model_calls += 1
        try:
            return handler(request)
        except Exception as error:
            self.failed = error
            # A server that refuses bills nothing; of a call that broke off nobody knows.
            if getattr(error, "status_code", None) is None:
                self._turn.cost_usd = None
            raise

    def middleware(self) -> AgentMiddleware[Any, Any, Any]:
        """Return it as the agent takes it."""
        from langchain.agents.middleware import AgentMiddleware

        counter = self

        class _Counting(AgentMiddleware[Any, Any, Any]):
            def wrap_model_call(self, request: Any, handler: Any) -> Any:
                return counter.call(request, handler)

        return _Counting()
