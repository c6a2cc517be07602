"""What a language model may call in a conversation: tools that start nothing, and one that proposes a plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agentic_spliceai.orchestration.chat.events import ToolAdvanced
from agentic_spliceai.orchestration.planner.intents import Intent, IntentKind
from agentic_spliceai.orchestration.planner.plan_request import PlanRequest, completed
from agentic_spliceai.tools.interaction import ToolProgress
from agentic_spliceai.tools.langchain import as_langchain_tools
from agentic_spliceai.tools.plain_text import json_text, printable
from agentic_spliceai.tools.registry import AnyTool
from agentic_spliceai.tools.vocabulary import Vocabulary

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

    from agentic_spliceai.orchestration.chat.offline import Work
    from agentic_spliceai.tools.context import ToolContext

#: Tools for a conversation; the others are steps of workflows, of no use alone.
OFFERED = (
    "interpret_variant",
    "lookup_known_variants",
    "saturate_region",
    "list_experiments",
    "choose_runs",
    "explain_result",
    "compare_experiments",
    "lookup_result",
    "list_jobs",
    "job_status",
    "job_logs",
)
PROPOSE = "propose_plan"
_PURPOSE = (
    "Propose an experiment to the person. It is checked, shown with its time and cost, and run only if they approve; "
    "the last proposal of a turn counts."
)


class Proposals:
    """Plans that a model proposed in a turn.

    Parameters
    ----------
    words
        What there is.
    planner
        Goes into the plans: `model:NAME`.
    request
        The person's words.
    before
        What they said before about the same experiment.
    """

    def __init__(self, words: Vocabulary, planner: str, request: str, before: Sequence[str] = ()) -> None:
        self._words, self._planner, self._request, self._before = words, planner, request, before
        self.accepted: list[Intent] = []

    def propose(self, asked: PlanRequest) -> dict[str, Any]:
        """Check a plan; returns what the model reads."""
        done = completed(asked, self._request, self._words, planner=self._planner, before=self._before)
        if done.plan is None:
            problems = [f"{refusal.message} {refusal.advice}" for refusal in done.refusals]
            problems += [question.why for question in done.missing]
            return {"accepted": False, "problems": problems}
        self.accepted.append(
            Intent(kind=IntentKind.PLAN_EXPERIMENT, text=self._request, plan=done.plan, planner=self._planner)
        )
        return {
            "accepted": True,
            "plan_id": done.plan.id,
            "note": "The person is shown the plan when your turn ends, and decides. Do not describe it in numbers.",
        }


def agent_tools(work: Work, proposals: Proposals) -> list[BaseTool]:
    """Return the tools of a turn."""
    from langchain_core.tools import StructuredTool

    def propose(**values: Any) -> str:
        return json_text(proposals.propose(PlanRequest.model_validate(values)))

    tool = StructuredTool.from_function(
        propose,
        name=PROPOSE,
        description=_PURPOSE,
        args_schema=PlanRequest,
        handle_validation_error=_explain,
        handle_tool_error=True,
    )
    base = work.tool_context()

    def context_of(called: AnyTool) -> ToolContext:
        return base.at(called.name, listen=_listener(called.name))

    registry = work.registry
    names = [name for name in OFFERED if name in registry]
    return [*as_langchain_tools(registry, base, names=names, context_of=context_of), tool]


def _listener(name: str) -> Any:
    from langgraph.config import get_stream_writer

    write = get_stream_writer()

    def listen(progress: ToolProgress) -> None:
        write(ToolAdvanced(name=name, message=printable(progress.message), done=progress.done, total=progress.total))

    return listen


def _explain(error: Any) -> str:
    """Return pydantic's findings as the model reads them."""
    from pydantic import ValidationError

    from agentic_spliceai.tools.spec import describe_validation

    text = describe_validation(error) if isinstance(error, ValidationError) else str(error)
    return json_text({"accepted": False, "problems": [text]})
